//! Random lines of a crontab, the same ones for the same seed.

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const NICKNAMES: [&str; 7] = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];

/// Random numbers that are the same everywhere: splitmix64.
pub struct Random(pub u64);

impl Random {
    /// A whole number below `end`.
    pub fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % u64::from(end)) as u32
    }

    fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high - low + 1)
    }

    pub fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    pub fn of<'a, T: ?Sized>(&mut self, choice: &[&'a T]) -> &'a T {
        choice[self.below(choice.len() as u32) as usize]
    }
}

/// What may stand in one of the five fields.
#[derive(Clone, Copy)]
pub struct Field {
    pub low: u32,
    pub high: u32,
    names: &'static [&'static str],
    /// How often it is a star, in percent.
    star: u32,
    /// How often it is one number.
    one: u32,
    /// A number that is likelier than the others, and how many after it are.
    likely: (u32, u32),
}

/// Minute, hour, day of the month, month, weekday. The hours in which clocks change are likely.
pub const FIELDS: [Field; 5] = [
    Field { low: 0, high: 59, names: &[], star: 1, one: 66, likely: (0, 3) },
    Field { low: 0, high: 23, names: &[], star: 14, one: 48, likely: (0, 5) },
    Field { low: 1, high: 31, names: &[], star: 50, one: 20, likely: (28, 4) },
    Field { low: 1, high: 12, names: &MONTHS, star: 70, one: 10, likely: (3, 2) },
    Field { low: 0, high: 7, names: &WEEKDAYS, star: 45, one: 20, likely: (0, 1) },
];

/// A line that is understood everywhere: five fields, or a nickname.
pub fn line(random: &mut Random) -> String {
    if random.chance(3) {
        return random.of(&NICKNAMES).to_owned();
    }
    FIELDS.map(|field| of(random, &field)).join(random.of(&[" ", " ", " ", "  ", "\t", " \t "]))
}

/// What one field holds.
pub fn of(random: &mut Random, field: &Field) -> String {
    if random.chance(field.star) {
        return "*".to_owned();
    }
    if random.chance(field.one) {
        return number(random, field);
    }
    let items = if random.chance(60) { 1 } else { random.between(2, 4) };
    (0..items).map(|_| item(random, field, items > 1)).collect::<Vec<_>>().join(",")
}

fn item(random: &mut Random, field: &Field, in_a_list: bool) -> String {
    if in_a_list && random.chance(50) {
        return number(random, field);
    }
    match random.below(20) {
        // In a list it may come after the first character of the field, which is what counts.
        0 if in_a_list => "*".to_owned(),
        0..8 => format!("*/{}", step(random, field)),
        8..15 => range(random, field),
        _ => format!("{}/{}", range(random, field), step(random, field)),
    }
}

fn step(random: &mut Random, field: &Field) -> u32 {
    let most = if random.chance(80) { field.high / 2 } else { field.high };
    random.between(1, most)
}

fn range(random: &mut Random, field: &Field) -> String {
    let first = random.between(field.low, field.high);
    let last =
        if random.chance(60) { (first + random.below(4)).min(field.high) } else { random.between(first, field.high) };
    format!("{}-{}", written(random, field, first), written(random, field, last))
}

fn number(random: &mut Random, field: &Field) -> String {
    let (first, more) = field.likely;
    let number = if random.chance(50) {
        random.between(first, (first + more).min(field.high))
    } else {
        random.between(field.low, field.high)
    };
    written(random, field, number)
}

fn written(random: &mut Random, field: &Field, number: u32) -> String {
    let name = field.names.get((number - field.low) as usize);
    match (name, random.below(6)) {
        (Some(name), 0) => (*name).to_owned(),
        (Some(name), 1) => name.to_uppercase(),
        (Some(name), 2) => name[..1].to_uppercase() + &name[1..],
        (None, 0) => format!("{number:02}"),
        _ => number.to_string(),
    }
}
