/** Places a directed acyclic graph in layers, left to right: longest path, then two sweeps of barycentres. */

export interface GraphNode {
  id: string;
  label: string;
  sub?: string;
  tone?: string;
  to?: string;
  title?: string;
}

export interface GraphEdge {
  from: string;
  to: string;
  label?: string;
}

export interface Placed extends GraphNode {
  x: number;
  y: number;
}

export interface Layout {
  nodes: Placed[];
  edges: { from: Placed; to: Placed; label?: string }[];
  width: number;
  height: number;
}

export const NODE = { width: 176, height: 50, gapX: 56, gapY: 18 };

export function place(nodes: GraphNode[], edges: GraphEdge[]): Layout {
  const known = new Set(nodes.map((node) => node.id));
  const links = edges.filter((edge) => known.has(edge.from) && known.has(edge.to) && edge.from !== edge.to);
  const rank = ranks(nodes, links);
  const layers: GraphNode[][] = [];
  for (const node of nodes) (layers[rank.get(node.id) ?? 0] ??= []).push(node);
  for (let at = 0; at < layers.length; at++) layers[at] ??= [];
  order(layers, links);
  const tallest = Math.max(1, ...layers.map((layer) => layer.length));
  const height = tallest * (NODE.height + NODE.gapY) - NODE.gapY;
  const placed = new Map<string, Placed>();
  layers.forEach((layer, column) => {
    const own = layer.length * (NODE.height + NODE.gapY) - NODE.gapY;
    layer.forEach((node, row) => {
      placed.set(node.id, { ...node, x: column * (NODE.width + NODE.gapX), y: (height - own) / 2 + row * (NODE.height + NODE.gapY) });
    });
  });
  const drawn = links.flatMap((edge) => {
    const from = placed.get(edge.from);
    const to = placed.get(edge.to);
    return from && to ? [{ from, to, label: edge.label }] : [];
  });
  return { nodes: [...placed.values()], edges: drawn, width: Math.max(1, layers.length) * (NODE.width + NODE.gapX) - NODE.gapX, height };
}

function ranks(nodes: GraphNode[], edges: GraphEdge[]): Map<string, number> {
  const rank = new Map(nodes.map((node) => [node.id, 0]));
  for (let round = 0; round < nodes.length; round++) {
    let moved = false;
    for (const edge of edges) {
      const wanted = (rank.get(edge.from) ?? 0) + 1;
      if (wanted > (rank.get(edge.to) ?? 0) && wanted < nodes.length) {
        rank.set(edge.to, wanted);
        moved = true;
      }
    }
    if (!moved) break;
  }
  return rank;
}

function order(layers: GraphNode[][], edges: GraphEdge[]): void {
  const sweep = (column: number, side: "from" | "to", other: GraphNode[] | undefined) => {
    const layer = layers[column];
    if (!layer || !other) return;
    const place = new Map(other.map((node, at) => [node.id, at]));
    const centre = (node: GraphNode, at: number) => {
      const near = edges.filter((edge) => edge[side === "from" ? "to" : "from"] === node.id).map((edge) => place.get(edge[side]));
      const found = near.filter((value): value is number => value !== undefined);
      return found.length ? found.reduce((sum, value) => sum + value, 0) / found.length : at;
    };
    const keys = new Map(layer.map((node, at) => [node.id, centre(node, at)]));
    layer.sort((a, b) => (keys.get(a.id) ?? 0) - (keys.get(b.id) ?? 0));
  };
  for (let column = 1; column < layers.length; column++) sweep(column, "from", layers[column - 1]);
  for (let column = layers.length - 2; column >= 0; column--) sweep(column, "to", layers[column + 1]);
}
