"""A form that fills while the model writes it: typed snapshots, guarded; the last one validated."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator

from pydantic import BaseModel

from guardstream import Guard, Policy, extract

guard = Guard(Policy.parse("rules: [{id: codename, words: [bluebird]}]"))


class Booking(BaseModel):
    name: str
    arrival: datetime.date | None = None
    guests: int = 1
    wishes: list[str] = []


async def model() -> AsyncIterator[str]:
    """Stands for a provider's stream."""
    text = (
        '{"name": "Ada Lovelace", "arrival": "2030-05-01", "guests": 2, '
        '"wishes": ["quiet room", "as for bluebird"]}'
    )
    for at in range(0, len(text), 4):
        await asyncio.sleep(0)
        yield text[at : at + 4]


async def main() -> None:
    shown: list[str] = []
    async for booking in extract.snapshots(guard.wrap(model()), Booking):
        came = [name for name in Booking.model_fields if name in booking.model_fields_set]
        line = ", ".join(f"{name}={getattr(booking, name)!r}" for name in came)
        if line not in shown:
            print(line)
            shown.append(line)
    print("booked:", booking.name, booking.arrival, booking.guests, booking.wishes)
    assert booking.wishes == ["quiet room", "as for [codename]"]
    assert booking.arrival == datetime.date(2030, 5, 1)
    assert len(shown) > 10  # it was seen to fill


asyncio.run(main())
