"""Check digits accept what the standards' own examples say, and refuse every other last digit."""

from __future__ import annotations

import pytest

from guardstream.policy import validators
from guardstream.policy.validators import NAMED

GOOD = {
    "luhn": [
        "4111111111111111",
        "378282246310005",
        "4012-8888-8888-1881",
        "6011 0009 9013 9424",
        "4111\u20091111\r\n1111\u30001111",
    ],
    "iban": ["GB29 NWBK 6016 1331 9268 19", "DE89370400440532013000", "NO9386011117947"],
    "mod11": ["350303199002033073", "51343620190101156X", "51343620190101156x"],
    "aba": ["121042882", "3222-7162-7", "011000015"],
    "uscc": ["91350100M000100Y43"],
    "ssn": ["219-09-9998", "078.05.1123"],
    "nhs": ["943 476 5919", "401-023-2137"],
    "verhoeff": ["2363", "3123 4567 8909"],
    "bitcoin": [
        "16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ",
        "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
        "bc1p5d7rjq7g6rdk2yhzks9smlaqtedr4dekq08ge8ztwac72sfr9rusxg3297",
        "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
    ],
    "phone": ["+49 30 1234567", "(415) 555-0132", "%252B49%252030%25201234567"],
    "ip": ["192.168.0.1", "10.0.0.0/8", "2001:db8::1", "::ffff:10.0.0.1"],
    "mixed": ["a1"],
    "varied": ["abcdef"],
    "password": ["Sommer(2024)", "k9(Lm2xQ7vRt", "sKq!Xb~wPf?z", "R{8 w?;K1m$~vE0:4(t@zD"],
    "random": ["k3JvQ81mZr5Lw0Xc", "5e884898da28047151d0e56f8dc62927", "d29h5oiwoht8mw49n"],
    "basic_credentials": ["Ym9iOmszSnZRODFt"],
}

BAD = {
    "luhn": ["4111111111111112", "0000000000000000", "x", ""],
    "iban": [
        "GB29 NWBK 6016 1331 9268 18",
        "DE8937040044053201300",
        "GB29",
        "1229NWBK60161331926819",
    ],
    "mod11": [
        "350303199002033074",
        "350303199013033073",
        "35030319900203307",
        "35030319900203307A",
    ],
    "aba": ["421042111", "121042883", "12104288", "130000000"],
    "uscc": ["91350100M000100Y44", "91350100M000100I43", "9"],
    "ssn": ["000-12-3456", "666-12-3456", "219-00-9998", "219-09-0000", "900-12-3456", "1"],
    "nhs": ["943 476 5918", "943"],
    "verhoeff": ["2364", "x", ""],
    "bitcoin": [
        "16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyY",
        "1" + "z" * 34,
        "bc1p5d7rjq7g6rdk2yhzks9smlaqtedr4dekq08ge8ztwac72sfr9rusxg3298",
        "bc1Qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "bc1bbbbbbbbbbbbbbb",
    ],
    "phone": ["123", "1" * 16, "%2B1%20234"],
    "ip": ["300.1.1.1", "10.0.0.0/99", "std::cout"],
    "mixed": ["ab", "12"],
    "varied": ["aaaaab-----"],
    "password": [
        "hunter2xy9",
        "required",
        "User.Password",
        "Must be 8 characters long, with 1 digit!",
        "'Summers(2024)",
        "connect timeout(30)",
    ],
    "random": [
        "000102030405060708090A0B0C0D0E0F",
        "00112233445566778899aabbccddeeff",
        "abcdefghijklmnopqrstuvwxyz123456",
        "orders_by_customer_2024",
        "k3JvQ81mZr5",
        "1" * 30,
    ],
    "basic_credentials": ["Ym9i", "Ym9iOg==", "disabled", "/w==", "Ym9iOgF4"],
}


NATIONAL = {
    "au_abn": ("61195537215", "39825979190"),
    "au_acn": ("592451959", "397431083"),
    "au_medicare": ("2478994543", "2217068043"),
    "au_tfn": ("853194130", "264847564"),
    "br_cnpj": ("59577411599005", "08369007128430"),
    "br_cpf": ("34381025105", "50124104970"),
    "ca_sin": ("595798067", "712234264"),
    "ch_ssn": ("756.2233.0792.44", "756.2233.0792.43"),
    "de_document": ("L22X00V472", "L22X00V473"),
    "de_idnr": ("81402375666", "69789974159"),
    "de_kvnr": ("K987654329", "K987654320"),
    "de_rvnr": ("65 170839 J 003", "65 170839 J 004"),
    "de_vat": ("DE917920246", "DE202673229"),
    "es_cif": ("B-04319554", "B-04319555"),
    "es_dni": ("65827805B", "85913906A"),
    "es_nie": ("X5818909R", "X7861720J"),
    "es_nss": ("28/40718213/75", "28/40718213/76"),
    "fi_hetu": ("131052-308T", "131052-308N"),
    "fr_nif": ("30 32 083 069 183", "30 32 083 069 184"),
    "fr_nir": ("185057593154195", "185057549066025"),
    "gb_utr": ("2241992516", "6799859026"),
    "gb_vat": ("GB 197 9237 60", "GB 197 9237 61"),
    "hk_id": ("A227093(8)", "A903760(8)"),
    "in_gstin": ("27AAPFU0937F1ZX", "27AAPFU0534F1ZE"),
    "in_pan": ("ABCPK8067I", "ABCPK0000O"),
    "it_codicefiscale": ("RSSMRA85T10A562S", "RSSMRA85T10A562K"),
    "it_iva": ("16879820120", "48988547236"),
    "jp_in": ("922039724264", "866999022592"),
    "kr_rrn": ("850513-1506357", "850513-8361497"),
    "nl_bsn": ("6281.94.821", "6281.94.822"),
    "pl_nip": ("526-153-36-20", "526-153-36-21"),
    "pl_pesel": ("85051379026", "85051335194"),
    "se_personnummer": ("850513-7193", "850513-4730"),
    "sg_nric": ("S6391164Z", "S7700120L"),
    "sg_uen": ("31403957X", "54371761Y"),
    "th_pin": ("1435424204087", "1411855018794"),
    "tr_tckimlik": ("46207189186", "99942427933"),
    "tw_id": ("A152268444", "A142300418"),
    "za_idnr": ("8505135776086", "8505135181087"),
}
"""A right number and a wrong one by each check of national numbers."""

GOOD |= {name: [right] for name, (right, _) in NATIONAL.items()}
BAD |= {name: [wrong, ""] for name, (_, wrong) in NATIONAL.items()}


@pytest.mark.parametrize(("name", "text"), [(n, t) for n, ts in GOOD.items() for t in ts])
def test_what_is_right_is_accepted(name: str, text: str) -> None:
    assert NAMED[name](text)


@pytest.mark.parametrize(("name", "text"), [(n, t) for n, ts in BAD.items() for t in ts])
def test_what_is_wrong_is_refused(name: str, text: str) -> None:
    assert not NAMED[name](text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("au_tfn", "853-194-130"),
        ("ch_ssn", "756-2233-0792-44"),
        ("es_nss", "46-03917264-20"),
        ("fr_nif", "0 593 877 097 051"),
        ("fr_nir", "1-85-05-75-931-541.95"),
        ("kr_rrn", "850513 1506357"),
        ("pl_nip", "774 09 48 739"),
        ("tr_tckimlik", "462 071 891 86"),
        ("za_idnr", "850513-5776-086"),
    ],
)
def test_groups_of_a_national_number_may_be_separated(name: str, text: str) -> None:
    assert NAMED[name](text)


def test_every_check_has_cases() -> None:
    assert set(GOOD) == set(BAD) == set(NAMED)


@pytest.mark.parametrize("name", ["luhn", "iban", "aba", "nhs", "verhoeff"])
def test_every_other_last_digit_is_refused(name: str) -> None:
    text = GOOD[name][0]
    for digit in "0123456789":
        if digit != text[-1]:
            assert not NAMED[name](text[:-1] + digit)


def test_no_check_raises_on_any_text() -> None:
    for check in NAMED.values():
        for text in ("", " ", "x", "１２３４", "²", "\ud800", "9" * 5000, "中文", "-" * 40):
            assert check(text) in (True, False)


def test_entropy_is_in_bits_a_character() -> None:
    assert validators.shannon("") == 0
    assert validators.shannon("aaaa") == 0
    assert validators.shannon("abcd") == 2
    assert validators.entropy(2)("abcd")
    assert not validators.entropy(2.1)("abcd")
