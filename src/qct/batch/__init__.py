"""Many studies: found, measured by workers that may die, resumed, and gathered into tables."""
