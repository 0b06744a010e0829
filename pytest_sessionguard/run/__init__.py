"""Files become scenarios, scenarios become cases, cases are driven and leave results.

The one room that touches users' scenario files; YAML is read in `scenario_files` and nowhere else.
"""
