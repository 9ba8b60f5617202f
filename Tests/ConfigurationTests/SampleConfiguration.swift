import Configuration

/// A configuration with every kind of value, for the tests.
struct Run: Codable, Equatable {
  var name: String
  var training: Training
  var stages: [Stage] = []
  var labels: [String: Int] = [:]
  var model: FreeForm?

  init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    name = try values.decode(.name)
    training = try values.decode(.training)
    stages = try values.decode(.stages, default: [])
    labels = try values.decode(.labels, default: [:])
    model = try values.decodeIfPresent(FreeForm.self, forKey: .model)
  }
}

struct Training: Codable, Equatable {
  enum Schedule: String, Codable, CaseIterable { case constant, cosine }

  var learningRate: Double
  var epochs: Int
  var schedule: Schedule
  var shuffle: Bool
  var weightDecay: Float
  var seed: UInt64?

  enum CodingKeys: String, CodingKey {
    case learningRate = "learning_rate", epochs, schedule, shuffle, weightDecay = "weight_decay", seed
  }

  init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    learningRate = try values.decode(.learningRate, above: 0)
    epochs = try values.decode(.epochs, default: 1, in: 1...100)
    schedule = try values.decode(.schedule, default: .cosine)
    shuffle = try values.decode(.shuffle, default: true)
    weightDecay = try values.decode(.weightDecay, default: 0.01)
    seed = try values.decodeIfPresent(UInt64.self, forKey: .seed)
    if schedule == .constant && weightDecay > 0.5 {
      throw values.fault(.weightDecay, "is too much for a constant rate")
    }
    if epochs == 13 { throw values.fault(.seed, "must be given for 13 epochs") }
  }
}

struct Stage: Codable, Equatable {
  var path: String
  var weight: Double
}

let example = """
  # A run.
  name: "first"
  training:
    learning_rate: 1e-4
    epochs: 3
    shuffle: false
    seed: 18446744073709551615
  stages:
    - path: a.jsonl
      weight: 1
    - {path: 'true', weight: .5}
  labels: {x: -1, y: 2}
  model:
    layers: 2
    scale: 0.5
    tied: true
    note: "2"
    window: null
    sizes: [1, 2]
  """
