"""The pure core: standard library only; no I/O, no time, no threads, no randomness."""
