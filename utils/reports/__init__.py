"""Pages for a browser: one file that needs no network, of tables, curves and pictures."""
