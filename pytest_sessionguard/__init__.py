"""sessionguard: tests session systems in virtual time, against a model of what they promise."""
