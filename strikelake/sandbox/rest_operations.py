"""When and where the simulated market trades, in the sandbox's REST."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse

from strikelake.calendar import NEW_YORK, NS_PER_SECOND, et_ns, is_session, session

if TYPE_CHECKING:
    from strikelake.sandbox.rest_http import Call

_FRIDAY = 4
_FULL_DAY_NS = 13 * 1_800 * NS_PER_SECOND
_EARLY, _LATE = "04:00", "20:00"
_VENUES = ("NYSE", "NASDAQ")
_HOLIDAYS = {
    1: "Martin Luther King, Jr. Day",
    2: "Washington's Birthday",
    3: "Good Friday",
    4: "Good Friday",
    5: "Memorial Day",
    6: "Juneteenth",
    7: "Independence Day",
    9: "Labor Day",
    11: "Thanksgiving",
    12: "Christmas",
}
_OPTION_EXCHANGES = (
    (300, "NYSE American Options", "AMXO", "XNYS", "A"),
    (301, "BOX Options Exchange", "XBOX", "XBOX", "B"),
    (302, "Cboe Options Exchange", "XCBO", "XCBO", "C"),
    (303, "MIAX Emerald", "EMLD", "MIHI", "D"),
    (304, "Cboe EDGX Options", "EDGO", "XCBO", "E"),
    (307, "Nasdaq GEMX", "GMNI", "XNAS", "H"),
    (308, "Nasdaq ISE", "XISX", "XNAS", "I"),
    (309, "Nasdaq MRX", "MCRY", "XNAS", "J"),
    (312, "MIAX Options", "XMIO", "MIHI", "M"),
    (313, "NYSE Arca Options", "ARCO", "XNYS", "N"),
    (315, "MIAX Pearl", "MPRL", "MIHI", "P"),
    (316, "Nasdaq Options Market", "XNDQ", "XNAS", "Q"),
    (318, "MIAX Sapphire", "SPHR", "MIHI", "S"),
    (319, "Nasdaq BX Options", "XBXO", "XNAS", "T"),
    (320, "MEMX Options", "MXOP", "MEMX", "U"),
    (322, "Cboe C2 Options", "C2OX", "XCBO", "W"),
    (323, "Nasdaq PHLX", "XPHO", "XNAS", "X"),
    (325, "Cboe BZX Options", "BATO", "XCBO", "Z"),
)
"""The exchanges that the simulated quotes name. Made up where the vendor's own numbers are not public."""
_STOCK_EXCHANGES = (
    (1, "NYSE American", "XASE", "XNYS", "A"),
    (8, "Cboe EDGX", "EDGX", "XCBO", "K"),
    (10, "New York Stock Exchange", "XNYS", "XNYS", "N"),
    (11, "NYSE Arca", "ARCX", "XNYS", "P"),
    (12, "Nasdaq", "XNAS", "XNAS", "T"),
    (15, "Investors Exchange", "IEXG", "IEXG", "V"),
    (19, "Cboe BZX", "BATS", "XCBO", "Z"),
)


async def status(call: Call) -> JSONResponse:
    """Answer `/v1/marketstatus/now`."""
    now = call.now
    opened = et_ns(call.today, _EARLY) <= now < et_ns(call.today, _LATE)
    trading = session(call.today) if is_session(call.today) else None
    early = trading is not None and opened and now < trading.open_ns
    late = trading is not None and opened and now >= trading.close_ns
    market = "closed" if trading is None or not opened else "extended-hours" if early or late else "open"
    shown = {
        "market": market,
        "earlyHours": early,
        "afterHours": late,
        "serverTime": datetime.fromtimestamp(now // NS_PER_SECOND, NEW_YORK).isoformat(),
        "exchanges": dict.fromkeys(("nasdaq", "nyse", "otc"), market),
        "currencies": {"crypto": "open", "fx": "open"},
    }
    return JSONResponse(shown)


async def upcoming(call: Call) -> JSONResponse:
    """Answer `/v1/marketstatus/upcoming`: the holidays and half days of the year to come."""
    days = (call.today + timedelta(days=number) for number in range(366))
    found = []
    for day in days:
        kind = _holiday(day)
        if kind:
            found += [{"exchange": venue, "date": str(day), "name": _name(day), **kind} for venue in _VENUES]
    return JSONResponse(found)


async def exchanges(call: Call) -> dict[str, Any]:
    """Answer `/v3/reference/exchanges`."""
    tables = {"options": _OPTION_EXCHANGES, "stocks": _STOCK_EXCHANGES}
    wanted = call.query.get("asset_class")
    rows = [
        {
            "id": number,
            "type": "exchange",
            "asset_class": kind,
            "locale": "us",
            "name": name,
            "mic": mic,
            "operating_mic": operator,
            "participant_id": letter,
        }
        for kind, table in tables.items()
        if wanted in {None, kind}
        for number, name, mic, operator, letter in table
    ]
    return {"results": rows, "count": len(rows)}


def _holiday(day: date) -> dict[str, Any]:
    """Return what is special about a day; nothing where it is a weekend or a whole session."""
    if not is_session(day):
        return {} if day.weekday() > _FRIDAY else {"status": "closed"}
    found = session(day)
    if found.close_ns - found.open_ns >= _FULL_DAY_NS:
        return {}
    return {"status": "early-close", "open": _utc(found.open_ns), "close": _utc(found.close_ns)}


def _name(day: date) -> str:
    if day.month == 1 and day.day < 15:  # noqa: PLR2004 - before the third Monday
        return "New Year's Day" if day.day <= 2 else "National Day of Mourning"  # noqa: PLR2004 - or observed on the 2nd
    return _HOLIDAYS.get(day.month, "Holiday")


def _utc(moment: int) -> str:
    return f"{datetime.fromtimestamp(moment // NS_PER_SECOND, UTC):%Y-%m-%dT%H:%M:%S.000Z}"
