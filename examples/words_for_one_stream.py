"""Words for one stream alone, such as this customer's data; other streams do not see them."""

from guardstream import Guard, Policy

POLICY = """
version: 1
rules:
  - {id: customer, words: [ACME internal], replacement: "[{id}]"}
"""

guard = Guard(Policy.parse(POLICY))
stream = guard.wrap_sync(["Dear Jane ", "Doe, your order"], words={"customer": ["Jane Doe"]})
print(stream.text())
assert stream.result.text == "Dear [customer], your order"
assert guard.check("Dear Jane Doe").text == "Dear Jane Doe"
