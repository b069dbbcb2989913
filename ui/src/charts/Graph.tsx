import { Link } from "wouter";
import { NODE, place, type GraphEdge, type GraphNode, type Placed } from "./layout";

/** A graph of boxes, drawn left to right; boxes with a page of their own are links. */
export function Graph({ label, nodes, edges }: { label: string; nodes: GraphNode[]; edges: GraphEdge[] }) {
  const layout = place(nodes, edges);
  const margin = 6;
  const room = layout.edges.some((edge) => isLong(edge.from, edge.to)) ? DIP / 2 : 0;
  return (
    <div className="graph" tabIndex={0} role="group" aria-label={`${label}: ${nodes.map((node) => `${node.label}${node.sub ? ` (${node.sub})` : ""}`).join(", ")}`}>
      <svg width={layout.width + 2 * margin} height={layout.height + 2 * margin + room}>
        <g transform={`translate(${margin} ${margin})`}>
          {layout.edges.map((edge) => (
            <path key={`${edge.from.id}>${edge.to.id}>${edge.label}`} className="edge" d={curve(edge.from, edge.to)}>
              {edge.label && <title>{edge.label}</title>}
            </path>
          ))}
          {layout.nodes.map((node) =>
            node.to ? (
              <Link key={node.id} href={node.to}>
                <Box node={node} />
              </Link>
            ) : (
              <Box key={node.id} node={node} />
            ),
          )}
        </g>
      </svg>
    </div>
  );
}

function Box({ node }: { node: Placed }) {
  return (
    <g className={`node ${node.tone ?? ""}`} transform={`translate(${node.x} ${node.y})`}>
      <title>{node.title ?? `${node.label}${node.sub ? ` · ${node.sub}` : ""}`}</title>
      <rect width={NODE.width} height={NODE.height} rx="7" />
      <rect className="stripe" x="0.5" y="8" width="3" height={NODE.height - 16} rx="1.5" />
      <text x="14" y={node.sub ? 21 : 30}>
        {clip(node.label, 22)}
      </text>
      {node.sub && (
        <text className="sub" x="14" y="38">
          {clip(node.sub, 27)}
        </text>
      )}
    </g>
  );
}

const DIP = 62;

function isLong(from: Placed, to: Placed): boolean {
  return to.x - from.x > NODE.width + NODE.gapX;
}

function curve(from: Placed, to: Placed): string {
  const startX = from.x + NODE.width;
  const startY = from.y + NODE.height / 2;
  const endY = to.y + NODE.height / 2;
  const bend = (to.x - startX) / 2;
  // A line across further layers dips below the boxes that lie between.
  const dip = isLong(from, to) && Math.abs(startY - endY) < NODE.height ? DIP : 0;
  if (dip) return `M${startX} ${startY}C${startX + 40} ${startY + dip} ${to.x - 40} ${endY + dip} ${to.x} ${endY}`;
  return `M${startX} ${startY}C${startX + bend} ${startY} ${to.x - bend} ${endY} ${to.x} ${endY}`;
}

function clip(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}
