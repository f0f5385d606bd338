"""Market: recorded prices, checked, and the returns made from them.

Enters: the snapshot, a vintage or the user's own files. Leaves: return panels cut at ``as_of``.
May not: estimate anything; only ``yahoo`` may touch the network, and no notebook imports it.
"""
