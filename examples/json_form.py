"""A form that fills while the model writes it: typed snapshots, the last one validated."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator

from pydantic import BaseModel

from guardstream import extract


class Booking(BaseModel):
    name: str
    arrival: datetime.date | None = None
    guests: int = 1
    wishes: list[str] = []


async def model() -> AsyncIterator[str]:
    """Stands for a provider's stream."""
    text = (
        '{"name": "Ada Lovelace", "arrival": "2030-05-01", "guests": 2, '
        '"wishes": ["quiet room", "late check-in"]}'
    )
    for at in range(0, len(text), 4):
        await asyncio.sleep(0)
        yield text[at : at + 4]


async def main() -> None:
    shown = ""
    async for booking in extract.snapshots(model(), Booking):
        came = [name for name in Booking.model_fields if name in booking.model_fields_set]
        line = ", ".join(f"{name}={getattr(booking, name)!r}" for name in came)
        if line != shown:
            print(line)
            shown = line
    print("booked:", booking.name, booking.arrival, booking.guests, booking.wishes)


asyncio.run(main())
