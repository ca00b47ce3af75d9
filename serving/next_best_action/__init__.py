"""Next best action: what the site does for a visitor of its own accord, a banner, a recommendation, a discount, or none.

    served with a decision + purchases in silver ─► outcomes ─► cells ─► policy ─► shares ─► the action that is drawn
                                                                  └─► worth: against none, and against a discount for all

docs/next-best-action.md has the formulas, their sources, and when an action is held back.
"""
