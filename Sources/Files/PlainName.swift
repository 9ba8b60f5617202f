extension File {
  /// True where `name` names an entry of a folder and nothing else: not empty, neither `.` nor `..`, without a slash or
  /// a zero byte. Whatever a file says of its neighbours is held to this before it becomes a path.
  ///
  /// Bytes are compared, not characters: a slash that a combining mark follows is one character that is not a slash, and
  /// still a slash to the kernel.
  public static func isPlainName(_ name: String) -> Bool {
    let bytes = name.utf8
    return !bytes.isEmpty && !bytes.elementsEqual(".".utf8) && !bytes.elementsEqual("..".utf8)
      && !bytes.contains(UInt8(ascii: "/")) && !bytes.contains(0)
  }
}
