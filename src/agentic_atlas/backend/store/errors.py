"""What goes wrong in the store, as errors of the product: the one place where driver errors are told apart."""

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from agentic_atlas.backend.store.sqlite import DRIVERS, DriverFault, fault
from agentic_atlas.errors import AtlasError, Conflict, InvalidInput, NotFound, PayloadTooLarge, Unavailable

AWAY = "store_unavailable"
"""Code of the error when the database can't be had."""


def domain_error(error: Exception) -> Exception:
    """Return the error to give to whoever asked.

    `Unavailable`: nothing is wrong with what was asked, but the database can't be had (`store_unavailable`) or has no
    room left (`storage_full`). `Conflict`, `NotFound`, `InvalidInput`: it contradicts what is there, belongs to what is
    not, or can't be stored at all. `AtlasError` (`internal`): a fault of this program. What did not come from the
    database is returned as it is.
    """
    if isinstance(error, DBAPIError):
        return driver_error(error.orig)
    if isinstance(error, DRIVERS):
        return driver_error(error)
    if isinstance(error, SQLAlchemyError):
        return AtlasError(f"the store can't carry out a statement: {type(error).__name__}")
    if isinstance(error, UnicodeEncodeError):
        return InvalidInput("a text holds half a surrogate pair, which is no character")
    if isinstance(error, OverflowError):
        return InvalidInput("a number is too large to be stored")
    return error


def driver_error(error: BaseException | None) -> AtlasError:
    """Return the error to give for one of the driver's own."""
    return _of_driver(fault(error), str(error))


def _of_driver(kind: DriverFault, words: str) -> AtlasError:
    match kind:
        case DriverFault.FULL:
            return Unavailable("no room is left where the store is kept", code="storage_full")
        case DriverFault.AWAY:
            return Unavailable(f"the store can't be used now: {words}", code=AWAY)
        case DriverFault.EXISTS:
            return Conflict(f"it is there already: {words}")
        case DriverFault.NO_PARENT:
            return NotFound("what it belongs to is not there any more")
        case DriverFault.TOO_BIG:
            return PayloadTooLarge("a value is larger than the store takes")
    return AtlasError(f"the store refused a statement: {words}")
