// Formats of text, checked strictly: each with its test and the words that tell a caller what is wrong. A line belongs
// here if it says which texts a `format` in a schema lets pass.

/** Instants outside these years are mistakes, and would not fit the fixed width of instants. */
const YEAR_MIN = 1900;
const YEAR_MAX = 2999;
const ZONE_CACHE_MAX = 1_000;

export interface Format {
  test(text: string): boolean;
  /** Completes "must be …". */
  words: string;
  /** A closer look at a text that failed; null when there is nothing better to say. */
  explain?(text: string): string | null;
}

const dateTimePattern = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?:Z|[+-](\d\d):(\d\d))$/;
const datePattern = /^(\d{4})-(\d\d)-(\d\d)$/;
const countries = new Set(
  (
    'AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ ' +
    'CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO ' +
    'FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE ' +
    'JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO ' +
    'MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW ' +
    'PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM ' +
    'TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW'
  ).split(' '),
);

export const formats: Readonly<Record<string, Format>> = {
  'date-time': {
    test: isDateTime,
    words: 'an instant with its offset, such as 2026-11-21T13:00:00Z or 2026-11-21T14:00:00+01:00',
    explain: explainDateTime,
  },
  date: {
    test: isDate,
    words: 'a day of the calendar, such as 2026-11-21',
    explain: (text) => (datePattern.test(text) ? `${text} is not a day of the calendar` : null),
  },
  uri: {
    test: isHttpUrl,
    words: 'an absolute http or https URL without user name, password or fragment, such as https://shop.example/hooks',
  },
  email: {
    test: (text) =>
      text.length <= 254 &&
      /^[^\s\p{Cc}@"(),:;<>[\\\]]{1,64}@(?:[\p{L}\p{N}-]{1,63}\.)+[\p{L}\p{N}-]{2,63}$/u.test(text),
    words: 'an e-mail address, such as name@shop.example',
  },
  'time-zone': { test: isTimeZone, words: 'a time zone by its IANA name, such as Europe/Stockholm' },
  'country-code': {
    test: (text) => countries.has(text),
    words: 'a country by its two capital letters of ISO 3166-1, such as SE',
    explain: (text) => (countries.has(text.toUpperCase()) ? `write it ${text.toUpperCase()}` : null),
  },
  'language-tag': { test: isLanguageTag, words: 'a language tag of BCP 47, such as sv or pt-BR' },
};

function isDateTime(text: string): boolean {
  const parts = dateTimePattern.exec(text);
  if (parts === null) return false;
  return (
    isDay(Number(parts[1]), Number(parts[2]), Number(parts[3])) &&
    Number(parts[4]) < 24 &&
    Number(parts[5]) < 60 &&
    Number(parts[6]) < 60 &&
    (parts[7] === undefined || (Number(parts[7]) < 24 && Number(parts[8]) < 60))
  );
}

function isDate(text: string): boolean {
  const parts = datePattern.exec(text);
  return parts !== null && isDay(Number(parts[1]), Number(parts[2]), Number(parts[3]));
}

function isDay(year: number, month: number, day: number): boolean {
  if (year < YEAR_MIN || year > YEAR_MAX || month < 1 || month > 12 || day < 1) return false;
  if (month === 2) return day <= ((year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28);
  return day <= (month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31);
}

function explainDateTime(text: string): string | null {
  const parts = dateTimePattern.exec(text);
  if (parts === null) {
    // A plus sign that stands in a URL as it is arrives as a space.
    if (/^\d{4}-\d\d-\d\dT[\d:.]+ \d\d:\d\d$/.test(text))
      return 'there is a space before its offset: write the + of a URL as %2B, or give the time in UTC with Z';
    if (/^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?$/.test(text))
      return 'its offset is missing: add Z or one like +01:00';
    if (datePattern.test(text)) return 'it has a day but no time';
    if (/^\d+$/.test(text)) return 'seconds since 1970 are not taken';
    return null;
  }
  const year = Number(parts[1]);
  if (year < YEAR_MIN || year > YEAR_MAX) return `the year must lie between ${YEAR_MIN} and ${YEAR_MAX}`;
  if (!isDay(year, Number(parts[2]), Number(parts[3]))) return `${text.slice(0, 10)} is not a day of the calendar`;
  if (parts[6] === '60') return 'leap seconds are not taken';
  return 'hours end at 23, minutes and seconds at 59';
}

function isHttpUrl(text: string): boolean {
  // URL repairs spaces, backslashes and letters outside ASCII; nothing is repaired here.
  if (!/^https?:\/\/[!$%&'()*+,\-./0-9:;=?@A-Z[\]_a-z~]+$/.test(text)) return false;
  const url = URL.parse(text);
  return url !== null && url.username === '' && url.password === '' && url.hostname !== '';
}

const knownZones = new Map<string, boolean>();

function isTimeZone(text: string): boolean {
  const known = knownZones.get(text);
  if (known !== undefined) return known;
  // Intl also takes offsets such as +01:00 and any spelling of a name.
  const found = /^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/.test(text) && isKnownToRuntime(text);
  if (knownZones.size >= ZONE_CACHE_MAX) knownZones.clear();
  knownZones.set(text, found);
  return found;
}

function isKnownToRuntime(zone: string): boolean {
  try {
    const resolved = new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone;
    return resolved.toLowerCase() !== zone.toLowerCase() || resolved === zone;
  } catch {
    return false;
  }
}

function isLanguageTag(text: string): boolean {
  if (text.length > 35 || !/^[A-Za-z0-9-]+$/.test(text)) return false;
  try {
    return Intl.getCanonicalLocales(text)[0] === text;
  } catch {
    return false;
  }
}
