"""Page: verdict in words, figures, tables, the rendered page.

Enters: results of the rooms above.
Leaves: exhibits that show themselves, HTML.
May not: compute a statistic; open a study; write a run.
"""
