"""Market: recorded prices, checked, and the returns made from them.

Enters: the snapshot, a vintage or the user's own files.
Leaves: returns cut at ``as_of``, and an opened story.
May not: estimate anything; only ``providers`` may touch the network, and no notebook imports it.
"""
