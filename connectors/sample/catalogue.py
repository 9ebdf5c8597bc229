"""The vocabulary of a made-up company that sells a home device with a subscription: tags, drivers, accounts, quotes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """One canonical tag with what people write and how such tickets tend to feel.

    Args:
        unhappy: share of negative tickets; `happy`: share of positive ones; the rest is neutral.
        weight: how often it comes, relative to the others.
    """

    canonical_tag: str
    driver: str
    owner: str
    raw_tags: tuple[str, ...]
    unhappy: float
    happy: float
    weight: int
    quotes: tuple[str, ...]


TOPICS = (
    Topic("double_charge", "Billing", "billing@acme.example", ("charged twice", "billing/duplicate"), 0.85, 0.02, 9, (
        "You have taken the {month} payment twice and nobody answers.",
        "My card shows two charges for the same plan, please refund one.",
        "Charged twice again. This is the second month in a row.",
    )),
    Topic("invoice_question", "Billing", "billing@acme.example", ("invoice", "vat invoice", "billing/invoice"), 0.20, 0.15, 7, (
        "Could you send the {month} invoice with our VAT number on it?",
        "The invoice lists {count} seats but we only have {less}.",
        "Thanks, the corrected invoice arrived within the hour.",
    )),
    Topic("price_increase", "Billing", "pricing@acme.example", ("price increase", "too expensive"), 0.80, 0.01, 5, (
        "The renewal is {count} percent more than last year. We are looking at alternatives.",
        "Why does the same plan cost more for existing customers?",
    )),
    Topic("cannot_log_in", "Login & access", "identity@acme.example", ("login", "locked out", "auth/login"), 0.70, 0.05, 10, (
        "I have been locked out since this morning and the whole team is waiting.",
        "The login page just reloads after I enter my password.",
        "Works again after the reset, thank you!",
    )),
    Topic("password_reset", "Login & access", "identity@acme.example", ("password reset", "reset mail"), 0.45, 0.20, 6, (
        "The reset mail never arrives, also not in the spam folder.",
        "Reset link said expired after {count} minutes.",
    )),
    Topic("two_factor", "Login & access", "identity@acme.example", ("2fa", "authenticator"), 0.55, 0.10, 4, (
        "New phone, and the codes of the old one are gone. How do I get in?",
        "Setting up two-factor was surprisingly painless.",
    )),
    Topic("late_delivery", "Shipping", "logistics@acme.example", ("where is my order", "late", "shipping/late"), 0.75, 0.04, 9, (
        "Order was promised for Monday, it is now {count} days late.",
        "Tracking has said 'in transit' for {count} days.",
        "It came a day late but the driver was very kind.",
    )),
    Topic("damaged_in_transit", "Shipping", "logistics@acme.example", ("damaged box", "broken on arrival"), 0.88, 0.01, 4, (
        "The box was crushed and the cover of the device is cracked.",
        "Second replacement, second dent. Does anyone pack these?",
    )),
    Topic("address_change", "Shipping", "logistics@acme.example", ("address change",), 0.10, 0.30, 3, (
        "Please send it to the office instead, we moved in {month}.",
        "Address updated in two minutes. Great service.",
    )),
    Topic("device_failure", "Product quality", "hardware@acme.example", ("broken", "does not turn on", "defect"), 0.82, 0.02, 7, (
        "It stopped working after {count} days. I expected more at this price.",
        "The device restarts itself every night.",
    )),
    Topic("battery_life", "Product quality", "hardware@acme.example", ("battery", "battery drains"), 0.68, 0.08, 5, (
        "The battery lasts {count} hours, you advertise {more}.",
        "Since the update the battery is much better, well done.",
    )),
    Topic("app_crash", "Product quality", "apps@acme.example", ("app crash", "app closes", "crash"), 0.74, 0.03, 6, (
        "The app closes as soon as I open the settings.",
        "Crashes {count} times a day since the last release.",
    )),
    Topic("slow_reply", "Support experience", "support@acme.example", ("slow reply", "no answer"), 0.90, 0.00, 5, (
        "I wrote {count} days ago and got nothing but an automatic answer.",
        "Third agent, third time I explain the same thing.",
    )),
    Topic("friendly_agent", "Support experience", "support@acme.example", ("thanks", "praise"), 0.01, 0.95, 6, (
        "The agent stayed with me until it worked. Thank you so much.",
        "Best support I have had in years.",
        "Solved in {count} minutes, I am impressed.",
    )),
    Topic("onboarding", "Onboarding", "success@acme.example", ("how to", "getting started", "setup"), 0.25, 0.30, 6, (
        "How do I invite {count} colleagues at once?",
        "The setup guide skips the step with the network cable.",
        "Up and running in {count} minutes, lovely.",
    )),
    Topic("missing_feature", "Feature requests", "product@acme.example", ("feature request", "missing"), 0.35, 0.15, 5, (
        "We would need an export as CSV before we can roll this out.",
        "Is there a way to limit what guests can see?",
    )),
    Topic("cancellation", "Cancellation", "retention@acme.example", ("cancel", "close account"), 0.78, 0.03, 4, (
        "Please cancel our plan at the end of {month}.",
        "We are moving to another product, how do I get our data out?",
    )),
)  # fmt: skip

# What people tag without the taxonomy knowing it: such tickets are 'unmapped' until somebody adds the tag.
UNKNOWN_RAW_TAGS = ("misc", "asdf", "todo: ask Kim", "wfh-pilot")

SOURCE_SYSTEMS = {"zendesk": 55, "intercom": 25, "app_reviews": 12, "phone": 8}  # name -> weight

EVIDENCE = {
    "zendesk": "https://acme.zendesk.example/agent/tickets/{ticket_id}",
    "intercom": "https://app.intercom.example/a/inbox/conversation/{ticket_id}",
    "app_reviews": "https://reviews.acme.example/r/{ticket_id}",
    "phone": "https://calls.acme.example/transcripts/{ticket_id}#t=0",
}

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)

PLANS = {"free": 1, "starter": 3, "business": 4, "enterprise": 2}
OWNERS = ("Amara Okafor", "Jonas Brandt", "Lucía Fernández", "Mei Tanaka", "Priya Raman", "Tom Whitfield")
SEGMENTS = {"free": "self-serve", "starter": "self-serve", "business": "mid-market", "enterprise": "strategic"}

COMPANIES = (
    "Northwind Bakery", "Alder & Sons", "Blue Harbor Logistics", "Café Lumière", "Delta Dental Group", "Eastgate Schools",
    "Fjord Fisheries", "Granite Peak Outdoor", "Harvest Table", "Ivory Keys Music", "Juniper Clinics", "Kestrel Aviation",
    "Lakeside Property", "Müller Maschinenbau", "Nimbus Analytics", "Orchard Grocers", "Pioneer Plumbing", "Quill & Paper",
    "Riverbend Farms", "Sakura Trading", "Tidewater Hotels", "Umbra Studios", "Verdant Energy", "Willow Creek Vets",
    "Xenon Lighting", "Yarrow Pharma", "Zephyr Couriers", "Amber Lane Books", "Brightside Nursery", "Copperfield Foods",
    "Dunmore Castle Trust", "Evergreen Lodge", "Foxglove Florists", "Golden Gate Cycles", "Hollybrook Council", "Iron Bridge Gym",
    "Jade Garden", "Kingfisher Media", "Lighthouse Legal", "Meridian Airlines",
)  # fmt: skip
