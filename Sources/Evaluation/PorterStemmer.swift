/// The Porter stemmer (M. F. Porter, "An algorithm for suffix stripping", Program 14.3, 1980) with the extensions that
/// NLTK applies by default, which is what Google's rouge_score stems with.
package enum PorterStemmer {
  /// The stem of a lower-case ASCII word.
  package static func stem(_ word: [UInt8]) -> [UInt8] {
    if let irregular = irregular[word] { return irregular }
    if word.count <= 2 { return word }
    var word = word
    removePlural(&word)
    removePast(&word)
    replaceFinalY(&word)
    shortenDouble(&word)
    apply(step3, to: &word) { measure($0) > 0 }
    apply(step4, to: &word) { measure($0) > 1 }
    removeFinalE(&word)
    if word.ends(with: "ll"), measure(word.dropLast()) > 1 { word.removeLast() }
    return word
  }

  /// Forms that the rules get wrong, as NLTK lists them.
  private static let irregular: [[UInt8]: [UInt8]] = {
    let forms: [(String, [String])] = [
      ("sky", ["sky", "skies"]), ("die", ["dying"]), ("lie", ["lying"]), ("tie", ["tying"]), ("news", ["news"]),
      ("inning", ["innings", "inning"]), ("outing", ["outings", "outing"]), ("canning", ["cannings", "canning"]),
      ("howe", ["howe"]), ("proceed", ["proceed"]), ("exceed", ["exceed"]), ("succeed", ["succeed"]),
    ]
    var table: [[UInt8]: [UInt8]] = [:]
    for (stem, words) in forms { for word in words { table[Array(word.utf8)] = Array(stem.utf8) } }
    return table
  }()

  // MARK: What the rules ask of a stem

  private typealias Stem = ArraySlice<UInt8>

  private static func isVowelLetter(_ letter: UInt8) -> Bool {
    letter == UInt8(ascii: "a") || letter == UInt8(ascii: "e") || letter == UInt8(ascii: "i")
      || letter == UInt8(ascii: "o") || letter == UInt8(ascii: "u")
  }

  /// For each letter whether it is a consonant: a letter other than a, e, i, o, u, and other than y after a consonant.
  private static func consonants(_ word: Stem) -> [Bool] {
    var flags: [Bool] = []
    flags.reserveCapacity(word.count)
    for letter in word {
      flags.append(letter == UInt8(ascii: "y") ? !(flags.last ?? false) : !isVowelLetter(letter))
    }
    return flags
  }

  /// The number m of vowel-consonant sequences in [C](VC)^m[V].
  private static func measure(_ stem: Stem) -> Int {
    let flags = consonants(stem)
    return zip(flags, flags.dropFirst()).count { !$0 && $1 }
  }

  private static func containsVowel(_ stem: Stem) -> Bool { consonants(stem).contains(false) }

  private static func endsInDoubleConsonant(_ word: Stem) -> Bool {
    word.count >= 2 && word[word.endIndex - 1] == word[word.endIndex - 2] && consonants(word)[word.count - 1]
  }

  /// Ends consonant, vowel, consonant other than w, x, y; or is a vowel and a consonant and no more.
  private static func endsInShortSyllable(_ word: Stem) -> Bool {
    let flags = consonants(word)
    switch word.count {
    case 0, 1: return false
    case 2: return !flags[0] && flags[1]
    default:
      let last = word[word.endIndex - 1]
      let n = flags.count
      return flags[n - 3] && !flags[n - 2] && flags[n - 1] && last != UInt8(ascii: "w") && last != UInt8(ascii: "x")
        && last != UInt8(ascii: "y")
    }
  }

  // MARK: The steps

  /// A suffix and what takes its place.
  private typealias Rule = (suffix: [UInt8], replacement: [UInt8])

  private static func rules(_ text: String) -> [Rule] {
    text.split(separator: " ").map { rule in
      let parts = rule.split(separator: ":", omittingEmptySubsequences: false)
      return (Array(parts[0].utf8), Array(parts[1].utf8))
    }
  }

  private static let step2 = rules(
    """
    ational:ate tional:tion enci:ence anci:ance izer:ize bli:ble alli:al entli:ent eli:e ousli:ous ization:ize \
    ation:ate ator:ate alism:al iveness:ive fulness:ful ousness:ous aliti:al iviti:ive biliti:ble fulli:ful
    """)
  private static let step3 = rules("icate:ic ative: alize:al iciti:ic ical:ic ful: ness:")
  private static let step4 = rules(
    "al: ance: ence: er: ic: able: ible: ant: ement: ment: ent: ion: ou: ism: ate: iti: ous: ive: ize:")

  /// Applies the first rule whose suffix the word has, where its stem fulfils the condition; later rules are not tried.
  /// Returns whether any suffix matched.
  @discardableResult
  private static func apply(_ rules: [Rule], to word: inout [UInt8], where condition: (Stem) -> Bool) -> Bool {
    for (suffix, replacement) in rules where word.ends(with: suffix) {
      let stem = word.dropLast(suffix.count)
      // -ion goes only after s or t.
      let allowed = suffix != ion || stem.last == UInt8(ascii: "s") || stem.last == UInt8(ascii: "t")
      if condition(stem) && allowed { word = stem + replacement }
      return true
    }
    return false
  }

  private static let ion = Array("ion".utf8)

  /// Step 1a: plurals.
  private static func removePlural(_ word: inout [UInt8]) {
    if word.ends(with: "ies") {
      word.removeLast(word.count == 4 ? 1 : 2)
    } else if word.ends(with: "sses") {
      word.removeLast(2)
    } else if word.ends(with: "s") && !word.ends(with: "ss") {
      word.removeLast()
    }
  }

  /// Step 1b: -eed, -ed and -ing.
  private static func removePast(_ word: inout [UInt8]) {
    if word.ends(with: "ied") {
      word.removeLast(word.count == 4 ? 1 : 2)
      return
    }
    if word.ends(with: "eed") {
      if measure(word.dropLast(3)) > 0 { word.removeLast() }
      return
    }
    guard let length = word.ends(with: "ed") ? 2 : word.ends(with: "ing") ? 3 : nil,
      containsVowel(word.dropLast(length))
    else { return }
    word.removeLast(length)
    if word.ends(with: "at") || word.ends(with: "bl") || word.ends(with: "iz") {
      word.append(UInt8(ascii: "e"))
    } else if endsInDoubleConsonant(word[...]) {
      let last = word[word.count - 1]
      if last != UInt8(ascii: "l") && last != UInt8(ascii: "s") && last != UInt8(ascii: "z") { word.removeLast() }
    } else if measure(word[...]) == 1 && endsInShortSyllable(word[...]) {
      word.append(UInt8(ascii: "e"))
    }
  }

  /// Step 1c: -y after a consonant that is not the first letter.
  private static func replaceFinalY(_ word: inout [UInt8]) {
    guard word.ends(with: "y"), word.count > 2, consonants(word.dropLast())[word.count - 2] else { return }
    word[word.count - 1] = UInt8(ascii: "i")
  }

  /// Step 2: double suffixes. -alli goes first, and its result once more through the step.
  private static func shortenDouble(_ word: inout [UInt8]) {
    while word.ends(with: "alli"), measure(word.dropLast(4)) > 0 { word.removeLast(2) }
    let matched = apply(step2, to: &word) { measure($0) > 0 }
    // The l of -logi counts with the stem, so that geo- and theo- go like archaeo-.
    if !matched, word.ends(with: "logi"), measure(word.dropLast(3)) > 0 { word.removeLast() }
  }

  /// Step 5a: -e.
  private static func removeFinalE(_ word: inout [UInt8]) {
    guard word.ends(with: "e") else { return }
    let stem = word.dropLast()
    let m = measure(stem)
    if m > 1 || (m == 1 && !endsInShortSyllable(stem)) { word.removeLast() }
  }
}

extension [UInt8] {
  fileprivate func ends(with suffix: String) -> Bool {
    count >= suffix.utf8.count && self[(count - suffix.utf8.count)...].elementsEqual(suffix.utf8)
  }

  fileprivate func ends(with suffix: [UInt8]) -> Bool {
    count >= suffix.count && self[(count - suffix.count)...].elementsEqual(suffix)
  }
}
