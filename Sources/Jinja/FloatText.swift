/// Doubles as Python writes them.
enum FloatText {
  /// `repr`: the fewest digits that read back as the same number, with an exponent below 1e-4 and from 1e16 on.
  static func shortest(_ number: Double) -> String {
    if number.isNaN { return "nan" }
    if number.isInfinite { return number < 0 ? "-inf" : "inf" }
    let (digits, exponent) = decimal(number.magnitude)
    let sign = number.sign == .minus ? "-" : ""
    if exponent < -4 || exponent >= 16 { return sign + scientific(digits, exponent) }
    if exponent < 0 { return sign + "0." + String(repeating: "0", count: -exponent - 1) + digits }
    if digits.utf8.count <= exponent + 1 {
      return sign + digits + String(repeating: "0", count: exponent + 1 - digits.utf8.count) + ".0"
    }
    return sign + digits.prefix(exponent + 1) + "." + digits.dropFirst(exponent + 1)
  }

  private static func scientific(_ digits: String, _ exponent: Int) -> String {
    let fraction = digits.dropFirst()
    return digits.prefix(1) + (fraction.isEmpty ? "" : "." + fraction) + "e" + exponentText(exponent)
  }

  /// An exponent with its sign and at least two digits.
  static func exponentText(_ exponent: Int) -> String {
    (exponent < 0 ? "-" : "+") + (abs(exponent) < 10 ? "0" : "") + "\(abs(exponent))"
  }

  /// The shortest digits of a number without zeros at either end, and the power of ten of the first.
  private static func decimal(_ number: Double) -> (digits: String, exponent: Int) {
    if number == 0 { return ("0", 0) }
    let parts = number.description.split(separator: "e")
    let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
    let whole = String(mantissa[0])
    let fraction = mantissa.count > 1 ? String(mantissa[1]) : ""
    var exponent = whole.utf8.count - 1 + (parts.count > 1 ? Int(parts[1]) ?? 0 : 0)
    var digits = Substring(whole + fraction)
    while digits.first == "0", digits.utf8.count > 1 {
      digits = digits.dropFirst()
      exponent -= 1
    }
    while digits.last == "0", digits.utf8.count > 1 { digits = digits.dropLast() }
    return (String(digits), exponent)
  }
}
