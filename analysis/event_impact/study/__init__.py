"""Study: the steps of one study, each in terms of the rooms above, behind one door.

Enters: validated parameters.
Leaves: the nouns of the path from alignment to verdict, and the record of a run.
May not: format; know of runs or kernels.
"""
