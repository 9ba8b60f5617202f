/// `max_new_tokens` of a run's student: a number, or `{from: 32, to: 256}` for responses that grow with the steps.
struct ResponseLength: Codable {
  /// Of the first step; nil for the same throughout.
  var from: Int?
  /// Of the last step.
  var to: Int

  init(_ tokens: Int) { to = tokens }

  init(from: Int?, to: Int) {
    self.from = from
    self.to = to
  }

  private enum CodingKeys: String, CodingKey { case from, to }

  init(from decoder: any Decoder) throws {
    if let tokens = try? decoder.singleValueContainer().decode(Int.self) {
      self.init(tokens)
      return
    }
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    self.init(from: try keys.decode(Int.self, forKey: .from), to: try keys.decode(Int.self, forKey: .to))
  }

  func encode(to encoder: any Encoder) throws {
    guard let from else {
      var value = encoder.singleValueContainer()
      return try value.encode(to)
    }
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(from, forKey: .from)
    try keys.encode(to, forKey: .to)
  }
}
