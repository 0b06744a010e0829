#!/bin/sh
# Measure first, judge after: for tests that are run in several parts, or by something other than pytest.
set -eu
coverage erase
coverage run --parallel-mode -m pytest --sessionguard-gate=off --sessionguard-report=json
coverage combine
sessionguard coverage check --result .sessionguard/report/result.json
