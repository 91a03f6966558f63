"""How far inputs must be changed before a net errs, and what that costs."""
