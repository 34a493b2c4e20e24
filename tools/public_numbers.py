"""Writes guardstream/policy/public_numbers.json from the metadata of phonenumbers.

Run `python tools/public_numbers.py` where `phonenumbers` is installed (Apache-2.0; its metadata is
that of Google's libphonenumber). Of each country that a pack is for it keeps which ranges anyone
may call at a company's or the common cost, which are those of persons, and how numbers are
grouped; of all others the free ranges.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import phonenumbers
from phonenumbers.phonemetadata import PhoneMetadata

OUT = Path(__file__).parent.parent / "guardstream" / "policy" / "public_numbers.json"

COUNTRIES = (
    *("AU", "BR", "CA", "CH", "CN", "DE", "ES", "FI", "FR", "GB", "HK", "IN", "IT", "JP"),
    *("KR", "MO", "NL", "PL", "SE", "SG", "TH", "TR", "TW", "US", "ZA"),
)
"""The countries of the packs."""

PUBLIC = ("toll_free", "shared_cost")
PERSONAL = ("fixed_line", "mobile", "personal_number", "pager", "voip", "voicemail", "premium_rate")


def ranges(metadata: PhoneMetadata, kinds: tuple[str, ...]) -> str:
    """The pattern of a country's numbers of some kinds, without the national prefix."""
    found = (getattr(metadata, kind) for kind in kinds)
    patterns = {each.national_number_pattern for each in found if each is not None}
    return "|".join(sorted(pattern for pattern in patterns if pattern and pattern != "NA"))


def groups(metadata: PhoneMetadata) -> list[list[str | bool]]:
    """How numbers are grouped: what they begin with, the pattern of their groups, and whether the
    national prefix is always written."""
    shown = metadata.number_format
    return [
        [
            (each.leading_digits_pattern or [""])[-1],
            each.pattern,
            bool(each.national_prefix_formatting_rule)
            and not each.national_prefix_optional_when_formatting
            and (metadata.national_prefix or "-") in each.national_prefix_formatting_rule,
        ]
        for each in shown
        if each.format.count("\\") == each.pattern.count("(")
    ]


def country(code: str) -> dict[str, Any]:
    """What is kept of a country that a pack is for."""
    metadata = PhoneMetadata.metadata_for_region(code)
    calling = metadata.country_code
    main = PhoneMetadata.metadata_for_region(phonenumbers.region_code_for_country_code(calling))
    return {
        "code": calling,
        "prefix": metadata.national_prefix or "",
        "public": ranges(metadata, PUBLIC),
        "personal": ranges(metadata, PERSONAL),
        "groups": groups(main),
    }


def free_ranges() -> dict[str, str]:
    """The free numbers of all other calling codes, by these."""
    found: dict[str, str] = {}
    own = {PhoneMetadata.metadata_for_region(code).country_code for code in COUNTRIES}
    for code in sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE):
        if code in own:
            continue
        region = phonenumbers.region_code_for_country_code(code)
        if region == "001":
            metadata = PhoneMetadata.metadata_for_nongeo_region(code)
        else:
            metadata = PhoneMetadata.metadata_for_region(region)
        if free := ranges(metadata, ("toll_free",)):
            found[str(code)] = free
    return found


def main() -> None:
    """Write the file."""
    data = {
        "from": f"phonenumbers {phonenumbers.__version__} (Apache-2.0)",
        "countries": {code: country(code) for code in COUNTRIES},
        "free": free_ranges(),
    }
    OUT.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
