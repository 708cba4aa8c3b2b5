"""What is rising, and how fast: velocity, ranking and bias are computed from the vault, so that they can be computed
again; how quota, sources and channels stand is read from SQL.
"""
