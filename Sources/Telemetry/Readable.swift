/// Numbers as people read them in logs and bars.
public enum Readable {
  /// A time span: `0.4s`, `12s`, `2m 05s`, `1h 02m 03s`, `2d 03h 04m`. Negative or undefined spans give `?`.
  public static func duration(_ seconds: Double) -> String {
    guard seconds >= 0, seconds < 1e9 else { return "?" }
    if seconds < 9.95 { return "\(decimals(seconds, 1))s" }
    let whole = Int(seconds.rounded())
    let (days, hours, minutes) = (whole / 86400, whole / 3600 % 24, whole / 60 % 60)
    if days > 0 { return "\(days)d \(two(hours))h \(two(minutes))m" }
    if hours > 0 { return "\(hours)h \(two(minutes))m \(two(whole % 60))s" }
    return minutes > 0 ? "\(minutes)m \(two(whole % 60))s" : "\(whole)s"
  }

  /// A count in about three digits: `999`, `1.2K`, `12.3M`, `123B`; below ten, two digits: `4.2`, `0.042`.
  public static func count(_ value: Double) -> String {
    guard value.isFinite else { return "?" }
    if value < 0 { return "-\(count(-value))" }
    if value < 10 {
      if value == value.rounded() { return decimals(value, 0) }
      return decimals(value, value < 0.0995 ? 3 : value < 0.995 ? 2 : 1)
    }
    return scaled(value, by: 1000, ["", "K", "M", "B", "T"])
  }

  /// A count in about three digits.
  public static func count(_ value: Int) -> String { count(Double(value)) }

  /// A size in bytes: `512 B`, `1.2 KiB`, `34.5 GiB`.
  public static func bytes(_ value: Int) -> String {
    value < 0 ? "-\(bytes(-value))" : scaled(Double(value), by: 1024, [" B", " KiB", " MiB", " GiB", " TiB"])
  }

  /// A size in whole mebibytes, rounded, without its unit: `1,020`.
  public static func mebibytes(_ value: Int) -> String { grouped(Int((Double(value) / 0x1p20).rounded())) }

  /// A whole number with its thousands apart: `1,234,567`.
  public static func grouped(_ value: Int) -> String {
    let digits = Array(String(value.magnitude))
    var text = value < 0 ? "-" : ""
    for (index, digit) in digits.enumerated() {
      if index > 0 && (digits.count - index) % 3 == 0 { text.append(",") }
      text.append(digit)
    }
    return text
  }

  /// A number with a fixed count of decimals, rounded half away from zero; `?` for an undefined or huge one.
  public static func decimals(_ value: Double, _ places: Int) -> String {
    var unit = 1.0
    for _ in 0..<places { unit *= 10 }
    let scaled = (value.magnitude * unit).rounded()
    guard scaled < 1e18 else { return "?" }
    let digits = String(Int(scaled))
    let sign = value < 0 && scaled > 0 ? "-" : ""
    if places == 0 { return sign + digits }
    let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
    return "\(sign)\(padded.dropLast(places)).\(padded.suffix(places))"
  }

  private static func scaled(_ value: Double, by base: Double, _ units: [String]) -> String {
    var rest = value
    var unit = 0
    // 999.5 would be shown as 1000, so it moves on to the next unit already.
    while rest >= (unit == 0 ? base : 999.5), unit + 1 < units.count {
      rest /= base
      unit += 1
    }
    return decimals(rest, unit == 0 || rest >= 99.95 ? 0 : 1) + units[unit]
  }

  private static func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
}
