"""Virtual time: a clock that moves only when told to, under freezegun, for sync code and asyncio."""
