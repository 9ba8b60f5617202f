import Glibc
public import JSON
public import Samples

/// What an evaluation found. Means are over scored tokens, which are the response and its end-of-sequence token, never
/// the prompt and never a BOS; for generated responses they are over prompts.
public struct EvaluationReport: Sendable, Equatable {
  /// How far the model lies from its teacher, over the whole common vocabulary, in nats per scored token.
  public struct TeacherDistance: Sendable, Equatable {
    /// KL(teacher || model).
    public var forwardKL: Double
    /// KL(model || teacher).
    public var reverseKL: Double
    /// Share of scored tokens at which both find the same token most probable.
    public var top1Agreement: Double
    /// The teacher's own negative log-likelihood.
    public var teacherNLL: Double

    public init(forwardKL: Double, reverseKL: Double, top1Agreement: Double, teacherNLL: Double) {
      self.forwardKL = forwardKL
      self.reverseKL = reverseKL
      self.top1Agreement = top1Agreement
      self.teacherNLL = teacherNLL
    }
  }

  /// How generated responses compare with their references, from 0 to 1.
  public struct Responses: Sendable, Equatable {
    /// Mean ROUGE-L F1, against the best reference of each prompt.
    public var rougeL: Double
    /// Share of responses that equal a reference but for white space.
    public var exactMatch: Double
    /// Number of prompts.
    public var count: Int
    /// Generated tokens, end-of-sequence tokens included.
    public var tokens: Int
    /// Share of responses that ended by themselves rather than at the longest length.
    public var endedByEOS: Double
    /// How often each prompt was answered, with another seed each time: the others are means over them.
    public var seeds = 1
    /// Of the seeds' ROUGE-L, the standard deviation of a sample; nil of one alone.
    public var rougeLDeviation: Double?

    public init(rougeL: Double, exactMatch: Double, count: Int, tokens: Int, endedByEOS: Double) {
      self.rougeL = rougeL
      self.exactMatch = exactMatch
      self.count = count
      self.tokens = tokens
      self.endedByEOS = endedByEOS
    }
  }

  /// Responses of several seeds as one.
  public static func mean(of seeds: [Responses]) -> Responses? {
    guard let first = seeds.first else { return nil }
    let count = Double(seeds.count)
    func mean(_ value: (Responses) -> Double) -> Double { seeds.reduce(0) { $0 + value($1) } / count }
    var all = Responses(
      rougeL: mean(\.rougeL), exactMatch: mean(\.exactMatch), count: first.count,
      tokens: seeds.reduce(0) { $0 + $1.tokens }, endedByEOS: mean(\.endedByEOS))
    all.seeds = seeds.count
    if seeds.count > 1 {
      all.rougeLDeviation = (seeds.reduce(0) { $0 + pow($1.rougeL - all.rougeL, 2) } / (count - 1)).squareRoot()
    }
    return all
  }

  /// Negative log-likelihood in nats per scored token.
  public var nll: Double
  /// Number of scored tokens.
  public var tokens: Int
  /// Number of samples.
  public var samples: Int
  public var teacher: TeacherDistance?
  public var responses: Responses?
  /// Expected calibration error of the next token; nil where it was not asked for.
  public var calibrationError: Double?
  /// What became of the rows of the file, where that is known.
  public var account: RowAccount?

  public init(
    nll: Double, tokens: Int, samples: Int, teacher: TeacherDistance? = nil, responses: Responses? = nil
  ) {
    self.nll = nll
    self.tokens = tokens
    self.samples = samples
    self.teacher = teacher
    self.responses = responses
  }

  /// exp(nll).
  public var perplexity: Double { exp(nll) }

  /// `{"nll","perplexity","tokens","samples"}`, with the teacher's and the responses' numbers where there are any.
  /// A number that is not finite, such as the perplexity of a model that diverged, is null when serialised so.
  public var json: JSONValue {
    var object: JSONObject = [
      "nll": .double(nll), "perplexity": .double(perplexity), "tokens": JSONValue(tokens),
      "samples": JSONValue(samples),
    ]
    if let teacher {
      object["forward_kl"] = .double(teacher.forwardKL)
      object["reverse_kl"] = .double(teacher.reverseKL)
      object["top1_agreement"] = .double(teacher.top1Agreement)
      object["teacher_nll"] = .double(teacher.teacherNLL)
    }
    if let calibrationError { object["calibration_error"] = .double(calibrationError) }
    if let responses {
      object["rouge_l"] = .double(responses.rougeL)
      if let deviation = responses.rougeLDeviation {
        object["rouge_l_deviation"] = .double(deviation)
        object["seeds"] = JSONValue(responses.seeds)
      }
      object["exact_match"] = .double(responses.exactMatch)
      object["responses"] = JSONValue(responses.count)
      object["response_tokens"] = JSONValue(responses.tokens)
      object["ended_by_eos"] = .double(responses.endedByEOS)
    }
    return .object(object)
  }
}
