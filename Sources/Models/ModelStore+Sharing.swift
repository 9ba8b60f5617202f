import Diagnostics
public import JSON
public import RandomStreams
public import Tensor

// Models whose layers are used twice.

extension ModelStore {
  /// A fresh model each layer of which is used twice, initialised as its unrolled model would be.
  ///
  /// - Parameter configuration: Of `sharing.layers` layers.
  /// - Throws: as ``make(_:stream:training:)``, and where the layers cannot be shared so.
  public static func make(
    _ configuration: JSONObject, sharing: LayerSharing, stream: inout RandomStream, training: ParameterSelection
  ) throws -> any CausalLanguageModel {
    let whole = try blueprint(of: JSONField(.object(configuration)))
    try check(whole.configuration.layerCount, isOneOf: [sharing.layers], sharing)
    let config = JSONField(.object(taking(sharing.order, of: whole)))
    let unrolled = try blueprint(of: config)
    let blueprint = try SharedBlueprint(unrolled, sharing)
    try blueprint.checkMemory(config, training: training, memory: machineMemory)
    let model = make(blueprint, training: training)
    model.parameters.initialize(&stream)
    return model
  }

  /// A model made of the layers of another one, each used twice, with parameters of its own.
  ///
  /// - Parameter model: Has `sharing.layers` layers, or twice as many: a model that was saved unrolled, whose upper half is a
  ///   copy of the lower one.
  /// - Throws: a `Diagnostic` for another number of layers, an upper half that is no copy, and where the layers cannot be shared
  ///   so.
  public static func share(
    _ model: any CausalLanguageModel, _ sharing: LayerSharing, training: ParameterSelection
  ) throws -> any CausalLanguageModel {
    let whole = try plan(of: model), count = whole.configuration.layerCount
    try check(count, isOneOf: [sharing.layers, 2 * sharing.layers], sharing)
    let config = JSONField(
      .object(count == sharing.layers ? taking(sharing.order, of: whole) : model.configuration.raw))
    let unrolled = try blueprint(of: config)
    let blueprint = try SharedBlueprint(unrolled, sharing)
    try blueprint.checkMemory(config, training: training, memory: machineMemory)
    let shared = make(blueprint, training: training)
    shared.configuration.take(ends: model.configuration)
    let given = values(of: model)
    for parameter in shared.parameters.parameters { parameter.value.copy(from: given[parameter.name]!) }
    for parameter in shared.savedParameters where count > sharing.layers {
      guard parameter.value.array() == given[parameter.name]!.array() else {
        throw Diagnostic.input(
          "\(parameter.name) is no copy of the lower half's: the model is not that used twice"
            + (sharing.swapsQueriesAndKeys ? ", with queries and keys swapped" : ""),
          remedy: "share what was saved of layers used twice, in the same way, or a model of \(sharing.layers) layers")
      }
    }
    return shared
  }

  private static func check(_ count: Int, isOneOf counts: [Int], _ sharing: LayerSharing) throws {
    if sharing.layers > 0, counts.contains(count) { return }
    throw Diagnostic.input(
      "a model of \(count) layers is not made of \(sharing.layers) used twice",
      remedy: "start from \(sharing.layers) layers"
        + (counts.count > 1 ? ", or from the \(2 * sharing.layers) of a model that was saved so" : ""))
  }
}
