"""Build flow: `tyk.conf` and `TYK_GW_*` become one frozen `Config`."""
