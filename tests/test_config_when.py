"""Rules of alerts and what belongs to them: what people write, and what is said of mistakes."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from camd.config import Bytes, Seconds, Share, shown
from camd.config.rules import read_hours
from camd.config.units import url_shown
from camd.config.when import Per, Subject, When, read_when
from tests.test_config import FilesTestCase

SIGNS = st.sampled_from(["<", "<=", ">", ">="])
MORE = st.sampled_from([">", ">="])
LABELS = st.text(
    st.characters(exclude_categories=["C", "Zl", "Zp"], exclude_characters='"'),
    min_size=1, max_size=40,
).filter(lambda text: text.strip() == text and text.isprintable())  # fmt: skip
RULES = st.one_of(
    st.just(When(Subject.POOR)),
    st.just(When(Subject.SILENT)),
    st.builds(
        lambda sign, tenths: When(Subject.SILENT, sign, Seconds(tenths / 10)),
        MORE, st.integers(1, 10**7),
    ),
    st.builds(
        lambda subject, sign, cents: When(subject, sign, cents / 100),
        st.sampled_from(
            [Subject.BATTERY, Subject.SIGNAL, Subject.TEMPERATURE, Subject.QUEUED]
        ),
        SIGNS, st.integers(-(10**6), 10**6),
    ),
    st.builds(
        lambda sign, size: When(Subject.DISK, sign, share=Share(Bytes(size))),
        SIGNS, st.integers(0, 2**40),
    ),
    st.builds(
        lambda sign, percent: When(Subject.DISK, sign, share=Share(percent=percent)),
        SIGNS, st.integers(0, 100).map(float),
    ),
    st.builds(
        lambda label, sign, count, per: When(
            Subject.COUNT, sign, float(count), label=label, per=per
        ),
        LABELS, MORE, st.integers(1, 10**6), st.sampled_from(list(Per)),
    ),
)  # fmt: skip


class Rules(SynchronousTestCase):
    """`read_when`."""

    def test_as_people_write_them(self) -> None:
        """The rules of the documentation, with and without units and spaces, mean what they say."""
        for text, rule in (
            ("silent", When(Subject.SILENT)),
            ("silent > 2 h", When(Subject.SILENT, ">", 7200.0)),
            ("silent>90s", When(Subject.SILENT, ">", 90.0)),
            ("battery < 3.5", When(Subject.BATTERY, "<", 3.5)),
            ("battery <= 3.5 V", When(Subject.BATTERY, "<=", 3.5)),
            ("signal < -85", When(Subject.SIGNAL, "<", -85.0)),
            ("signal < -85 dBm", When(Subject.SIGNAL, "<", -85.0)),
            ("temperature > 60 °C", When(Subject.TEMPERATURE, ">", 60.0)),
            ("temperature > 60 C", When(Subject.TEMPERATURE, ">", 60.0)),
            ("queued > 100", When(Subject.QUEUED, ">", 100.0)),
            ("disk < 5 %", When(Subject.DISK, "<", share=Share(percent=5.0))),
            ("disk < 2 GB", When(Subject.DISK, "<", share=Share(Bytes(2 * 10**9)))),
            ("poor", When(Subject.POOR)),
            ("photos bad", When(Subject.POOR)),
            (
                "whitefly >= 20 per night",
                When(Subject.COUNT, ">=", 20.0, label="whitefly", per=Per.NIGHT),
            ),
            (
                '"fungus gnat" > 5 per hour',
                When(Subject.COUNT, ">", 5.0, label="fungus gnat", per=Per.HOUR),
            ),
            (
                '"disk" >= 5 per day',
                When(Subject.COUNT, ">=", 5.0, label="disk", per=Per.DAY),
            ),
        ):
            self.assertEqual(read_when(text), rule, text)

    def test_what_is_none(self) -> None:
        """Half a rule, a wrong unit, a count without a time: each is told with an example."""
        for text in (
            "", " ", "silent >", "silent < 2 h", "silent > 2", "silent > 0 s", "silent 2 h",
            "battery", "battery < low", "battery < 3.5 A", "battery = 3.5", "signal < --85",
            "temperature > 6e1", "disk", "disk < 5", "disk < 101 %", "disk < 5 V", "poor > 1",
            "whitefly", "whitefly >= 20", "whitefly >= 20 per week", "whitefly < 20 per night",
            "whitefly >= 0 per night", "white fly >= 20 per night", '"" > 1 per day',
            '" " > 1 per day', "whitefly >= -1 per day", "a > 1 per day and b > 2 per day",
            "x" * 300, "silent\n", "whitefly >= \u0665 per day",
        ):  # fmt: skip
            error = self.assertRaises(ValueError, read_when, text)
            if not text.isspace() and text.isprintable():
                self.assertIn('"', str(error), text)
        for value in (None, 5, True, ["silent"], {}):
            self.assertRaises(ValueError, read_when, value)

    @given(RULES)
    def test_round_trip(self, rule: When) -> None:
        """A rule's text reads as that rule."""
        self.assertEqual(read_when(str(rule)), rule)

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        """Any text is a rule, or told in one line what one looks like."""
        try:
            rule = read_when(text)
        except ValueError as error:
            self.assertNotIn("\n", str(error))
        else:
            self.assertEqual(read_when(str(rule)), rule)

    def test_holds(self) -> None:
        """A value is held against a limit by the rule's sign."""
        for sign, below, at, above in (
            ("<", True, False, False), ("<=", True, True, False),
            (">", False, False, True), (">=", False, True, True),
        ):  # fmt: skip
            rule = When(Subject.BATTERY, sign, 3.5)
            self.assertEqual([rule.holds(v, 3.5) for v in (3.4, 3.5, 3.6)], [below, at, above])

    def test_hours(self) -> None:
        """Quiet hours are minutes of a day; anything else is told."""
        self.assertEqual(read_hours("22:00-07:30"), (1320, 450))
        for text in ("22-7", "24:00-07:00", "22:00-22:00", "22:00", "22:60-07:00", "22:00 - 07:00"):
            self.assertRaises(ValueError, read_hours, text)


class Telling(FilesTestCase):
    """The sections of what is told."""

    def test_alert(self) -> None:
        """An alert is read whole, and is called by its rule where it has no name."""
        config = self.loaded('[[alert]]\nwhen = "battery < 3.5 V"\nquiet = "22:00-07:00"').config
        (alert,) = config.alerts
        self.assertEqual((alert.title, alert.tell_end, alert.to), ("battery < 3.5", True, ()))

    def test_mistakes(self) -> None:
        """A bad rule, and ways that are not there, are a line each."""
        for text, line in (
            ('[[alert]]\nwhen = "silent > 2"', 'alert[#1].when: got "silent > 2", wants "silent"'),
            ('[[alert]]\nwhen = 5', "alert[#1].when: got 5, wants a rule"),
            ('[[alert]]\nname = "x"', "alert[#1].when: got nothing, wants a value"),
            (
                '[[alert]]\nwhen = "poor"\nquiet = "22-7"',
                'alert[#1].quiet: got "22-7", wants hours',
            ),
            ('[[alert]]\nwhen = "poor"\nto = ["mail"]', 'alert[#1].to: got ["mail"], wants ways'),
            (
                '[[alert]]\nwhen = "disk < 5 %"\ncameras = ["a"]',
                'alert[#1].cameras: got ["a"], wants none',
            ),
            ('[[webhook]]\nurl = "ftp://x"', 'webhook[#1].url: got "ftp://x", wants an address'),
            ('[[webhook]]\nurl = ""', 'webhook[#1].url: got "", wants an address'),
            (
                '[[webhook]]\nurl = "http://x"\nname = "mail"',
                'webhook[#1].name: got "mail", wants another name',
            ),
            (
                '[[webhook]]\nurl = "http://x"\nname = "a"\n'
                '[[webhook]]\nurl = "http://y"\nname = "a"',
                'webhook[#2].name: got "a", wants a name that is not taken',
            ),
            (
                '[[webhook]]\nurl = "http://x"\nevents = ["all"]',
                'webhook[#1].events[#1]: got "all", wants "photo"',
            ),
            (
                '[[webhook]]\nurl = "http://x"\n[[webhook]]\nurl = "http://x"',
                "webhook[#2].name: got nothing, wants a name",
            ),
            (
                '[[alert]]\nwhen = "poor"\ncameras = ["a"]\n[[alert]]\nwhen = "photos bad"',
                "alert[#2].name: got nothing, wants a name of its own",
            ),
            ('[mqtt]\nurl = "tcp://x"', 'mqtt.url: got "tcp://x", wants "mqtt://host"'),
            ('[mqtt]\nprefix = "a/#"', 'mqtt.prefix: got "a/#", wants words'),
            ('[mail]\nhost = "x"\nto = ["a@b.c"]', "mail.sender: got nothing, wants an address"),
            ('[mail]\nhost = "x"\nsender = "a@b.c"', "mail.to: got nothing, wants an address"),
            ('[publish]\nretry = "2 h"', "publish.retry_most: got nothing, wants publish.retry"),
        ):  # fmt: skip
            (got,) = self.mistakes(text)
            self.assertTrue(got.startswith(line), f"{got} / {line}")
            self.assertIn("(file /camd.toml", got)

    def test_secrets(self) -> None:
        """A hook's secret is shown nowhere; MQTT's password comes from a file as well."""
        path = self.write("hunter2\n", "password")
        loaded = self.loaded(
            '[[webhook]]\nurl = "http://x"\nsecret = "hunter3"', CAMD_MQTT__PASSWORD_FILE=str(path)
        )
        self.assertEqual(loaded.config.mqtt.password.reveal, "hunter2")
        self.assertNotIn("hunter", repr(loaded.config))

    def test_address_that_is_a_secret(self) -> None:
        """Of a hook's address only scheme and host are shown, be it right or wrong: to chat
        services the rest is the key."""
        for url, seen in (
            ("https://hooks.slack.com/services/T0/B0/hunter2", "https://hooks.slack.com/(hidden)"),
            ("http://x:8080?hunter2", "http://x:8080/(hidden)"),
            ("http://x/", "http://x/"),
            ("htps://x/hunter2", "htps://x/(hidden)"),
            ("https://me:hunter2@x", "https://x/(hidden)"),
            ("x/hunter2", "x/(hidden)"),
        ):
            self.assertEqual(url_shown(url), seen)
        text = '[[webhook]]\nurl = "{}"'
        config = self.loaded(text.format("https://ntfy.sh/hunter2")).config
        self.assertEqual(shown(config)["webhook[#1].url"], '"https://ntfy.sh/(hidden)"')
        (mistake,) = self.mistakes(text.format("htps://ntfy.sh/hunter2"))
        self.assertIn('got "htps://ntfy.sh/(hidden)"', mistake)

    def test_one_bracket(self) -> None:
        """A table where there may be many: how to write it is said."""
        (mistake,) = self.mistakes('[alert]\nwhen = "poor"')
        self.assertIn("double brackets", mistake)

    def test_told_apart(self) -> None:
        """One rule for two cameras, or under two names, is no mistake."""
        config = self.loaded(
            '[[alert]]\nwhen = "poor"\ncameras = ["a"]\n[[alert]]\nwhen = "poor"\ncameras = ["b"]\n'
            '[[alert]]\nwhen = "poor"\nname = "Look!"'
        ).config
        self.assertEqual([alert.title for alert in config.alerts], ["poor", "poor", "Look!"])
