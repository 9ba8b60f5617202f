extension CalendarTime {
  private static let months = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
  ]
  private static let weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

  /// The date and time as `strftime` writes them in the C locale.
  func formatted(_ format: String) throws -> String {
    var text = ""
    var scalars = format.unicodeScalars.makeIterator()
    while let scalar = scalars.next() {
      guard scalar == "%" else {
        text.unicodeScalars.append(scalar)
        continue
      }
      var flag: Unicode.Scalar?
      var letter = scalars.next()
      if let found = letter, "-_0^#".unicodeScalars.contains(found) {
        flag = found
        letter = scalars.next()
      }
      guard let letter, let part = try field(letter, flag) else {
        throw JinjaFault("the date format '%\(letter.map { "\($0)" } ?? "")' is not supported")
      }
      text += flag == "^" ? part.uppercased() : part
    }
    return text
  }

  private func field(_ letter: Unicode.Scalar, _ flag: Unicode.Scalar?) throws -> String? {
    if let number = number(letter) {
      let filler = flag == "-" ? "" : flag == "_" ? " " : flag == "0" ? "0" : number.filler
      let digits = "\(number.value)"
      return String(repeating: filler, count: max(0, number.width - digits.utf8.count)) + digits
    }
    return switch letter {
    case "Y", "G": "\(letter == "Y" ? year : isoWeek.year)"
    case "B": Self.months[month - 1]
    case "b", "h": String(Self.months[month - 1].prefix(3))
    case "A": Self.weekdays[weekday]
    case "a": String(Self.weekdays[weekday].prefix(3))
    case "p": hour < 12 ? "AM" : "PM"
    case "P": hour < 12 ? "am" : "pm"
    case "F": try formatted("%Y-%m-%d")
    case "T", "X": try formatted("%H:%M:%S")
    case "R": try formatted("%H:%M")
    case "r": try formatted("%I:%M:%S %p")
    case "D", "x": try formatted("%m/%d/%y")
    case "c": try formatted("%a %b %e %H:%M:%S %Y")
    case "f": "000000"
    case "z", "Z": ""
    case "n": "\n"
    case "t": "\t"
    case "%": "%"
    default: nil
    }
  }

  /// The fields that are numbers, with what they are filled up with.
  private func number(_ letter: Unicode.Scalar) -> (value: Int, width: Int, filler: String)? {
    switch letter {
    case "d": (day, 2, "0")
    case "e": (day, 2, " ")
    case "m": (month, 2, "0")
    case "y": (year % 100, 2, "0")
    case "C": (year / 100, 2, "0")
    case "H": (hour, 2, "0")
    case "k": (hour, 2, " ")
    case "I": ((hour + 11) % 12 + 1, 2, "0")
    case "l": ((hour + 11) % 12 + 1, 2, " ")
    case "M": (minute, 2, "0")
    case "S": (second, 2, "0")
    case "j": (dayOfYear, 3, "0")
    case "u": ((weekday + 6) % 7 + 1, 1, "0")
    case "w": (weekday, 1, "0")
    case "U": ((dayOfYear + 6 - weekday) / 7, 2, "0")
    case "W": ((dayOfYear + 6 - (weekday + 6) % 7) / 7, 2, "0")
    case "V": (isoWeek.week, 2, "0")
    case "g": (isoWeek.year % 100, 2, "0")
    default: nil
    }
  }

  /// The week of ISO 8601 and the year that it belongs to.
  private var isoWeek: (year: Int, week: Int) {
    let week = (dayOfYear - (weekday + 6) % 7 + 9) / 7
    if week < 1 { return (year - 1, Self.weeks(in: year - 1)) }
    return week > Self.weeks(in: year) ? (year + 1, 1) : (year, week)
  }

  private static func weeks(in year: Int) -> Int {
    func lastDay(_ year: Int) -> Int { (year + year / 4 - year / 100 + year / 400) % 7 }
    return lastDay(year) == 4 || lastDay(year - 1) == 3 ? 53 : 52
  }
}
