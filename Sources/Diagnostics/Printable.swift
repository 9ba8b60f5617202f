extension String {
  /// The text with every control character written out, such as `\\u{1b}` for the one that begins a terminal's escape
  /// codes: names of tensors and files and values of rows are shown, never obeyed.
  ///
  /// Written out are C0 but for the tabulator, DEL and C1.
  ///
  /// - Parameter keepingLines: Line breaks stay, for a text of several lines.
  public func printable(keepingLines: Bool = true) -> String {
    func isControl(_ scalar: Unicode.Scalar) -> Bool {
      switch scalar.value {
      case 0x09: false
      case 0x0A: !keepingLines
      case 0..<0x20, 0x7F...0x9F: true
      default: false
      }
    }
    guard unicodeScalars.contains(where: isControl) else { return self }
    var text = ""
    for scalar in unicodeScalars {
      if isControl(scalar) {
        text += "\\u{\(String(scalar.value, radix: 16))}"
      } else {
        text.unicodeScalars.append(scalar)
      }
    }
    return text
  }
}
