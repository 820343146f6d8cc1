"""The writer of log lines against pipes that are read, stalled or gone."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from propylon.observe.line_writer import BATCH_BYTES, LineWriter


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for descriptor in (reading, writing):
        try:
            os.close(descriptor)
        except OSError:
            pass


def drain(descriptor: int) -> bytes:
    chunks = []
    while chunk := os.read(descriptor, 65536):
        chunks.append(chunk)
    return b"".join(chunks)


def test_lines_arrive_whole_and_in_order(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    lines = [b"line %d %b\n" % (number, b"x" * (number % 700)) for number in range(2000)]
    writer = LineWriter(writing)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(drain(reading)))
    reader.start()
    for line in lines:
        writer.write(line)
    writer.close()
    os.close(writing)
    reader.join()
    assert got[0] == b"".join(lines)
    assert writer.dropped == 0


def test_line_longer_than_a_batch(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = LineWriter(writing)
    line = b"y" * (3 * BATCH_BYTES) + b"\n"
    writer.write(line)
    writer.close()
    os.close(writing)
    assert drain(reading) == line


def test_stalled_reader_costs_lines_and_never_blocks(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = LineWriter(writing, max_waiting_bytes=10_000)
    for _ in range(3000):
        writer.write(b"z" * 99 + b"\n")  # 300 kB: more than the pipe and the buffer hold
    dropped = writer.dropped
    assert dropped > 1000
    writer.close(timeout_seconds=0.05)  # gives up: nobody reads
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(drain(reading)))
    reader.start()
    writer.close()
    os.close(writing)
    reader.join()
    lines = got[0].splitlines()
    assert lines[-1] == b"%d log lines dropped" % dropped
    assert len(lines) - 1 + dropped == 3000


def test_reader_that_went_away_is_no_error(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.close(reading)
    writer = LineWriter(writing)
    writer.write(b"one\n")
    writer.close()
    writer.write(b"two\n")
    assert writer.dropped >= 1


def test_non_blocking_descriptor_is_waited_for(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.set_blocking(writing, False)
    writer = LineWriter(writing)
    for _ in range(2000):
        writer.write(b"w" * 99 + b"\n")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(drain(reading)))
    reader.start()
    writer.close()
    os.close(writing)
    reader.join()
    assert len(got[0]) == 200_000
