"""What can go wrong in the grid; each text names the field, its value and the fix."""


class GridError(ValueError):
    """Any error of this package but :class:`grid.units.UnitsError`."""


class GeneratorError(GridError):
    """The synthetic day cannot be made as asked: correct the argument."""


class PriceModelError(GridError):
    """Training rows give no scale for synthetic prices: give more of them."""


class PlantError(GridError):
    """The plant cannot start or take a setpoint as given: correct the argument."""


class AccountsError(GridError):
    """A day's accounts cannot be made of what was given, or contradict themselves."""


class CsvError(GridError):
    """A CSV cannot be read: mend the file or the option that the text names."""
