"""A command app of two levels, `preprocessing | modeling | deployment | help` × `foo | bar`, whose
commands and settings are Hydra config groups.
"""
