"""Study: the steps of one study, each in terms of the rooms above, behind one door.

Enters: validated parameters.
Leaves: the nouns of the path from alignment to verdict, and the record of a run.
May not: format; know of runs or kernels.

How a notebook is made
----------------------
1. A title that asks.
2. A cell tagged ``parameters``: annotated literals, each with a comment; names and defaults are those of
   ``StudyConfig``. The notebook's metadata says once more what it reads: ``impact.parameters``, and ``impact.tables``,
   the files of ``data/`` that its nouns open. What is injected and not declared is refused by its first cell; a table
   that is read and not declared fails the run; one that is not read has no part in its hash.
3. One line that makes the study: ``study = Study.from_cell(globals())``.
4. The finding, tagged ``first-screen``.
5. A section a noun, one figure or table a cell: ``tables.tabulate_sequence(study.sequence, study.alignment)``. An
   exhibit carries its numbers in the output that displays it, so what is displayed becomes ``results/NAME.csv``, once
   however often it is shown. What belongs to the appendix is tagged ``appendix``.
6. Last, tagged ``record``, what the notebook hands to its runner: ``study.record()``.

A new step is a function of nouns in the module of its notebook, never of a ``Study``, and a ``cached_property`` of it.
"""
