"""What all tests may use."""

pytest_plugins = ["pytester"]

# Scenario files that are the material of tests, not stories to be run.
collect_ignore_glob = ["run/malformed/*", "run/wellformed/*"]
