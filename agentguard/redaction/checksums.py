"""The checksums that tell a card number or an IBAN from any other run of digits."""

import re

__all__ = ["is_card", "is_iban"]

_SEPARATORS = re.compile(r"[ -]")


def is_card(text: str) -> bool:
    """Whether 13 to 19 digits, maybe grouped, pass Luhn's check (ISO/IEC 7812-1, annex B)."""
    digits = [int(digit) for digit in _SEPARATORS.sub("", text)]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def is_iban(text: str) -> bool:
    """Whether the text, maybe grouped, passes the check of ISO 13616 (modulo 97)."""
    compact = _SEPARATORS.sub("", text)
    begins = compact[:2].isalpha() and compact[2:4].isdigit()
    if not (begins and 15 <= len(compact) <= 34):
        return False
    return int("".join(str(int(sign, 36)) for sign in compact[4:] + compact[:4])) % 97 == 1
