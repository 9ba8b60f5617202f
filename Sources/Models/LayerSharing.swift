import Diagnostics
import JSON
import NN
import Tensor

/// Layers that a model uses twice, one pass through all of them after the other: layer i stands at the places i and i + ``layers``
/// (shuffled parameter sharing; Pea-KD, arXiv 2009.14822). Such a model has the parameters of one of half its depth and costs a
/// pass of its whole depth. Of each parameter there is one, whose gradient is the sum of both uses', so that whatever trains it
/// sees it once; a cache of keys and values has an entry for each use.
///
/// It is saved unrolled, as an ordinary model of twice as many layers, those of the upper half copies of the lower ones'.
public struct LayerSharing: Sendable, Equatable {
  /// How many layers there are; the model has twice as many places.
  public var layers: Int
  /// Whether the second use of a layer makes queries of what the first makes keys of, and the other way round.
  public var swapsQueriesAndKeys: Bool

  public init(layers: Int, swapsQueriesAndKeys: Bool) {
    self.layers = layers
    self.swapsQueriesAndKeys = swapsQueriesAndKeys
  }

  /// The layers that stand one after the other.
  var order: [Int] { Array(0..<layers) + Array(0..<layers) }
}

/// A model whose upper half is its lower half used again.
struct SharedBlueprint: ModelBlueprint {
  /// The same model with layers of its own at each place.
  private var unrolled: any ModelBlueprint
  private let settings: LayerSharing

  /// - Parameter unrolled: Of twice as many layers as there are.
  /// - Throws: a `Diagnostic` for another number of layers, for two uses that differ in more than the swap, and for a swap in a
  ///   model whose queries and keys cannot take each other's place.
  init(_ unrolled: any ModelBlueprint, _ settings: LayerSharing) throws {
    (self.unrolled, self.settings) = (unrolled, settings)
    let sizes = unrolled.configuration
    guard sizes.layerCount == 2 * settings.layers else {
      throw Diagnostic.input(
        "a model of \(sizes.layerCount) layers is not \(settings.layers) used twice",
        remedy: "name half as many layers as the unrolled model has")
    }
    for (key, values) in unrolled.layerLists {
      for layer in 0..<settings.layers where values[layer] != values[layer + settings.layers] {
        throw Diagnostic.input(
          "layers \(layer) and \(layer + settings.layers) cannot be one: of \(key) they are "
            + "\(values[layer].text()) and \(values[layer + settings.layers].text())",
          remedy: "share layers of one kind, or none")
      }
    }
    guard settings.swapsQueriesAndKeys else { return }
    let remedy = "leave queries and keys in their places (swap: false), which shares all the same"
    guard sizes.keyValueHeadCount == sizes.headCount else {
      throw Diagnostic.input(
        "queries of \(sizes.headCount) heads and keys of \(sizes.keyValueHeadCount) cannot take each other's place",
        remedy: "give the model num_key_value_heads: \(sizes.headCount), or \(remedy)")
    }
    guard unrolled.queryAndKey != nil else {
      throw Diagnostic.input(
        "in this model of the family \(sizes.family) one projection makes queries and keys, which cannot be swapped",
        remedy: remedy)
    }
  }

  var configuration: ModelConfiguration {
    get { unrolled.configuration }
    set { unrolled.configuration = newValue }
  }
  var keys: CheckpointKeys { unrolled.keys }
  var layerLists: [(key: String, values: [JSONValue])] { unrolled.layerLists }
  var queryAndKey: [(query: String, key: String)]? { unrolled.queryAndKey }

  var sharing: SharedNames? {
    SharedNames(settings: settings, names: unrolled.specifications.map { ($0.name, holder(of: $0.name)) })
  }

  func layers(_ scope: ParameterScope) -> DecoderLayers { unrolled.layers(scope.sharing(holder)) }

  /// The name of the parameter at a place of the unrolled model: itself but for the upper half.
  private func holder(of name: String) -> String {
    guard let (index, rest) = keys.layer(of: name), index >= settings.layers else { return name }
    return "\(keys.layers)\(index - settings.layers)\(settings.swapsQueriesAndKeys ? swapped(rest) : rest)"
  }

  /// The rest of a parameter's name, with the parts of queries and keys exchanged.
  private func swapped(_ rest: String) -> String {
    let parts = rest.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    return parts.map { part in
      guard let pair = queryAndKey?.first(where: { $0.query == part || $0.key == part }) else { return part }
      return part == pair.query ? pair.key : pair.query
    }.joined(separator: ".")
  }
}

/// The names that a model with layers used twice is saved by.
struct SharedNames {
  let settings: LayerSharing
  /// Every name of the unrolled model, in checkpoint order, with that of the parameter that stands there.
  let names: [(place: String, holder: String)]
}
