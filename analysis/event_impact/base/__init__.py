"""Base: what every room may use: parameters, errors, the study's folders, writing to disk, test results.

Enters: settings and paths.
Leaves: validated parameters, refusals with their exit code, whole files.
May not: know an article, a price or a page.
"""
