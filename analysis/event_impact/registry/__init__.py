"""Registry: stories, articles and plans written into a study, and what the registry as a whole says.

Enters: answers of a user, evidence, prices.
Leaves: rows of the tables, frozen plans, a new study.
May not: estimate or test.
"""
