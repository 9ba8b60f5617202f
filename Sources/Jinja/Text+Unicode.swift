extension Unicode.Scalar {
  private var category: Unicode.GeneralCategory { properties.generalCategory }

  /// A letter, as `str.isalpha` has it.
  var isPythonAlphabetic: Bool {
    if value < 0x80 { return (0x41...0x5A).contains(value & ~0x20) }
    return switch category {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
    default: false
    }
  }

  var isPythonDecimal: Bool {
    value < 0x80 ? (0x30...0x39).contains(value) : category == .decimalNumber
  }

  /// A digit, as `str.isdigit` has it: decimal ones and those such as a superscript two.
  var isPythonDigit: Bool {
    switch properties.numericType {
    case .decimal, .digit: true
    default: false
    }
  }

  var isPythonNumeric: Bool { properties.numericType != nil }

  var isPythonAlphanumeric: Bool {
    if value < 0x80 { return isPythonAlphabetic || isPythonDecimal }
    return isPythonAlphabetic || isPythonNumeric
  }

  /// Shown as itself by `repr`.
  var isPythonPrintable: Bool {
    switch category {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
    case .spaceSeparator: self == " "
    default: true
    }
  }

  var isCased: Bool { properties.isUppercase || properties.isLowercase || category == .titlecaseLetter }
}

extension Text {
  /// The text with every letter mapped by what Unicode says.
  private func mapped(_ map: (Unicode.Scalar) -> String) -> Text {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(self.bytes.count)
    for scalar in scalars { bytes += map(scalar).utf8 }
    return Text(bytes)
  }

  var uppercased: Text {
    guard !isASCII else { return Text(bytes.map { 0x61...0x7A ~= $0 ? $0 - 0x20 : $0 }) }
    return mapped { $0.properties.uppercaseMapping }
  }

  var lowercased: Text {
    guard !isASCII else { return Text(bytes.map { 0x41...0x5A ~= $0 ? $0 + 0x20 : $0 }) }
    let scalars = Array(scalars)
    var bytes: [UInt8] = []
    for (index, scalar) in scalars.enumerated() { bytes += Self.lower(scalar, index, scalars).utf8 }
    return Text(bytes)
  }

  /// A letter in lower case; a sigma at the end of a word has its own form.
  private static func lower(_ scalar: Unicode.Scalar, _ index: Int, _ scalars: [Unicode.Scalar]) -> String {
    guard scalar == "\u{3A3}" else { return scalar.properties.lowercaseMapping }
    let before = scalars[..<index].last { !$0.properties.isCaseIgnorable }
    let after = scalars[(index + 1)...].first { !$0.properties.isCaseIgnorable }
    let isFinal = before?.properties.isCased == true && after?.properties.isCased != true
    return isFinal ? "\u{3C2}" : "\u{3C3}"
  }

  var casefolded: Text {
    // Full folding is what upper case in lower case gives but for a few letters.
    guard !isASCII else { return lowercased }
    return mapped { scalar in
      scalar.properties.uppercaseMapping.unicodeScalars.map(\.properties.lowercaseMapping).joined()
    }
  }

  var capitalized: Text {
    let scalars = Array(scalars)
    guard let first = scalars.first else { return self }
    var bytes = Array(first.properties.titlecaseMapping.utf8)
    for (index, scalar) in scalars.enumerated().dropFirst() { bytes += Self.lower(scalar, index, scalars).utf8 }
    return Text(bytes)
  }

  /// `str.title`: a capital wherever a letter follows what is none.
  var titlecased: Text {
    let scalars = Array(scalars)
    var bytes: [UInt8] = []
    var isInWord = false
    for (index, scalar) in scalars.enumerated() {
      let mapping = isInWord ? Self.lower(scalar, index, scalars) : scalar.properties.titlecaseMapping
      bytes += mapping.utf8
      isInWord = scalar.isCased
    }
    return Text(bytes)
  }

  var caseSwapped: Text {
    let scalars = Array(scalars)
    var bytes: [UInt8] = []
    for (index, scalar) in scalars.enumerated() {
      if scalar.properties.isUppercase {
        bytes += Self.lower(scalar, index, scalars).utf8
      } else if scalar.properties.isLowercase {
        bytes += scalar.properties.uppercaseMapping.utf8
      } else {
        bytes += Array(UTF8.encode(scalar)!)
      }
    }
    return Text(bytes)
  }

  /// Whether there is a code point, and all have a property.
  func all(_ property: (Unicode.Scalar) -> Bool) -> Bool { !isEmpty && scalars.allSatisfy(property) }

  var isUppercase: Bool {
    scalars.contains(where: \.properties.isUppercase)
      && !scalars.contains { $0.properties.isLowercase || $0.properties.generalCategory == .titlecaseLetter }
  }

  var isLowercase: Bool {
    scalars.contains(where: \.properties.isLowercase)
      && !scalars.contains { $0.properties.isUppercase || $0.properties.generalCategory == .titlecaseLetter }
  }

  var isTitlecase: Bool {
    var isInWord = false
    var hasLetters = false
    for scalar in scalars {
      if scalar.properties.isUppercase || scalar.properties.generalCategory == .titlecaseLetter {
        if isInWord { return false }
        (isInWord, hasLetters) = (true, true)
      } else if scalar.properties.isLowercase {
        if !isInWord { return false }
        hasLetters = true
      } else {
        isInWord = false
      }
    }
    return hasLetters
  }
}

// MARK: Parts

extension Text {
  /// Parts between white space, at most `limit` divisions from the left, or from the right.
  func words(limit: Int, fromRight: Bool = false) -> [Text] {
    var ranges: [Range<Int>] = []
    var offset = 0
    while offset < bytes.count {
      let start = offset
      while offset < bytes.count, !scalar(at: offset).isPythonSpace { offset += Self.length(bytes[offset]) }
      if offset > start { ranges.append(start..<offset) }
      if offset < bytes.count { offset += Self.length(bytes[offset]) }
    }
    guard ranges.count > limit else { return ranges.map { Text(bytes[$0]) } }
    if fromRight {
      let rest = Text(bytes[..<ranges[ranges.count - limit - 1].upperBound])
      return [rest] + ranges.suffix(limit).map { Text(bytes[$0]) }
    }
    return ranges.prefix(limit).map { Text(bytes[$0]) } + [Text(bytes[ranges[limit].lowerBound...])]
  }

  /// Parts between occurrences of a text that is not empty.
  func parts(by separator: Text, limit: Int, fromRight: Bool = false) -> [Text] {
    if fromRight {
      let parts = Text(bytes.reversed()).parts(by: Text(separator.bytes.reversed()), limit: limit)
      return parts.reversed().map { Text($0.bytes.reversed()) }
    }
    var parts: [Text] = []
    var start = 0
    for place in occurrences(of: separator, limit: limit) {
      parts.append(Text(bytes[start..<place]))
      start = place + separator.bytes.count
    }
    return parts + [Text(bytes[start...])]
  }

  /// `str.splitlines`.
  func lines(keepsEnds: Bool = false) -> [Text] {
    var lines: [Text] = []
    var start = 0
    var offset = 0
    while offset < bytes.count {
      var end = offset + Self.length(bytes[offset])
      switch scalar(at: offset).value {
      case 0x0D where end < bytes.count && bytes[end] == 0x0A:
        end += 1
        fallthrough
      case 0x0A...0x0D, 0x1C...0x1E, 0x85, 0x2028, 0x2029:
        lines.append(Text(bytes[start..<(keepsEnds ? end : offset)]))
        start = end
      default: break
      }
      offset = end
    }
    if start < bytes.count { lines.append(Text(bytes[start...])) }
    return lines
  }
}
