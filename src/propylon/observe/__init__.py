"""What the gateway tells its operators: logs, access log, health."""
