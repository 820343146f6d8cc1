#!/bin/sh
# A stdio plugin in POSIX shell with one long-running jq: adds a header, checks a token, marks the
# answer. jq reads JSON values as they come and writes one line for each (--unbuffered).
exec jq --compact-output --unbuffered '
def add_header: {request: {set_headers: {"X-Hello": "from shell"}}};

def check_token:
  .request.headers.Authorization as $token
  | if $token == "let-me-in" then
      {request: {}, session: {metadata: {token: $token}, rate: 100, per: 1}}
    else
      {request: {return_overrides: {response_code: 401, response_error: "who are you?"}}}
    end;

def mark_answer: {response: {headers: (.response.headers + {"X-Seen-By": "shell"})}};

def error($code; $text): {error: {code: $code, message: $text}};

def dispatch:
  if .hook_name == "AddHeader" then {result: add_header}
  elif .hook_name == "CheckToken" then {result: check_token}
  elif .hook_name == "MarkAnswer" then {result: mark_answer}
  else error(-32601; "no such hook") end;

def initialize:
  {name: "example", protocol_version: "1.0", hooks: ["AddHeader", "CheckToken", "MarkAnswer"]};

select(has("id"))
| {jsonrpc: "2.0", id: .id} +
  if .method == "Dispatch" then .params | dispatch
  elif .method == "initialize" then {result: initialize}
  elif .method == "ping" or .method == "shutdown" then {result: {}}
  else error(-32601; "no such method") end'
