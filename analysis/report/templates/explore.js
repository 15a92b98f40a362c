// A click on a square of a phase map shows the runs of its cell. Without this script, or where it
// fails, the page stays a static one.
(() => {
  const data = JSON.parse(document.getElementById("cells").textContent);
  const aside = document.getElementById("cell");
  const NS = "http://www.w3.org/2000/svg";
  let here = null;
  let opener = null;

  // Which cells lie at a point of a picture, in shares of its width and height.
  function at(picture, x, y) {
    const panel = picture.geometry.findIndex(([l, t, r, b]) => x >= l && x < r && y >= t && y < b);
    if (panel < 0) return null;
    const [l, t, r, b] = picture.geometry[panel];
    const rows = picture.panels[panel];
    const column = Math.floor(((x - l) / (r - l)) * rows[0].length);
    const row = rows.length - 1 - Math.floor(((y - t) / (b - t)) * rows.length);
    return { panel, row, column };
  }

  function show(picture, place) {
    const rows = picture.panels[place.panel];
    const cells = rows[place.row][place.column];
    if (!cells.length) return;
    const [l, t, r, b] = picture.geometry[place.panel];
    const width = (r - l) / rows[0].length;
    const height = (b - t) / rows.length;
    if (here) here.remove();
    here = document.createElement("div");
    here.className = "here";
    Object.assign(here.style, {
      left: `${100 * (l + place.column * width)}%`,
      top: `${100 * (b - (place.row + 1) * height)}%`,
      width: `${100 * width}%`,
      height: `${100 * height}%`,
    });
    picture.element.append(here);
    picture.place = place;
    fill(cells);
  }

  function fill(numbers) {
    const cells = numbers.map((number) => data.cells[number]);
    const counts = {};
    for (const cell of cells)
      for (const [name, n] of Object.entries(cell.runs)) counts[name] = (counts[name] || 0) + n;
    const more = cells.length > 1 ? ` and ${cells.length - 1} more` : "";
    aside.querySelector("h3").textContent = cells[0].name + more;
    const legend = aside.querySelector(".legend");
    legend.replaceChildren();
    for (const [name, n] of Object.entries(counts)) {
      const entry = document.createElement("span");
      entry.textContent = `${(data.symptoms[name] || { title: name }).title}: ${n}`;
      entry.style.borderBottom = `3px solid ${(data.symptoms[name] || {}).color || "#999"}`;
      legend.append(entry);
    }
    const total = Object.values(counts).reduce((sum, n) => sum + n, 0);
    const curves = cells.flatMap((cell) => cell.curves).slice(0, 40);
    aside.querySelector(".counts").textContent =
      `${total} runs${curves.length < total ? `, ${curves.length} of them drawn` : ""}; loss over epochs`;
    aside.querySelector("code").textContent = cells.slice(0, 3).map((cell) => cell.command).join("\n");
    draw(curves);
    aside.hidden = false;
  }

  function element(name, attributes, text) {
    const made = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function draw(curves) {
    const svg = aside.querySelector("svg");
    svg.replaceChildren();
    const left = 44, right = 352, top = 8, bottom = 168;
    const values = curves.flatMap((curve) => curve[2]).filter((v) => v !== null && v > 0);
    if (!values.length) return;
    if (data.prior) values.push(data.prior);
    const lasts = curves.map((curve) => data.grids[curve[1]].at(-1));
    const end = Math.log1p(Math.max(...lasts, 1));
    let low = Math.log10(Math.min(...values)), high = Math.log10(Math.min(Math.max(...values), 1e6));
    if (high - low < 0.2) { low -= 0.1; high += 0.1; }
    const x = (epoch) => left + (Math.log1p(epoch) / end) * (right - left);
    const y = (loss) =>
      bottom - ((Math.min(Math.log10(Math.max(loss, 1e-300)), high) - low) / (high - low)) * (bottom - top);
    svg.append(element("path", { d: `M${left} ${top}V${bottom}H${right}`, fill: "none", stroke: "#999" }));
    for (const value of ticks(low, high))
      svg.append(element("text", { x: left - 5, y: y(value) + 3, "text-anchor": "end" }, `${+value.toPrecision(2)}`));
    for (let epoch = 1; Math.log1p(epoch) <= end + 1e-9; epoch *= 10)
      svg.append(element("text", { x: x(epoch), y: bottom + 13, "text-anchor": "middle" }, `${epoch}`));
    svg.append(element("text", { x: left, y: bottom + 13, "text-anchor": "middle" }, "0"));
    if (data.prior) {
      const at = y(data.prior);
      svg.append(element("path", { d: `M${left} ${at}H${right}`, stroke: "#888", "stroke-dasharray": "4 3" }));
      svg.append(element("text", { x: right, y: at - 3, "text-anchor": "end" }, "guessing"));
    }
    for (const [symptom, grid, losses] of curves) {
      const points = data.grids[grid]
        .map((epoch, k) => [epoch, losses[k]])
        .filter(([, loss]) => loss !== null)
        .map(([epoch, loss]) => `${x(epoch).toFixed(1)},${y(loss).toFixed(1)}`);
      const color = symptom === "healthy" ? "#777" : (data.symptoms[symptom] || {}).color || "#777";
      svg.append(element("polyline", { points: points.join(" "), fill: "none", stroke: color, "stroke-width": 1.2, opacity: 0.8 }));
    }
  }

  function ticks(low, high) {
    const found = [];
    for (let ten = Math.ceil(low); ten <= high; ten += Math.max(1, Math.round((high - low) / 5))) found.push(10 ** ten);
    return found.length > 1 ? found : [10 ** low, 10 ** ((low + high) / 2), 10 ** high];
  }

  function close() {
    aside.hidden = true;
    if (here) here.remove();
    here = null;
    if (opener) opener.focus();
  }

  const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [1, 0], ArrowDown: [-1, 0] };
  for (const holder of document.querySelectorAll("[data-panels]")) {
    const picture = {
      element: holder,
      geometry: JSON.parse(holder.dataset.geometry),
      panels: JSON.parse(holder.dataset.panels),
      place: null,
    };
    holder.tabIndex = 0;
    holder.addEventListener("click", (event) => {
      const box = holder.getBoundingClientRect();
      const place = at(picture, (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
      if (place) { opener = holder; show(picture, place); }
    });
    holder.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !picture.place) { opener = holder; show(picture, { panel: 0, row: 0, column: 0 }); return; }
      const step = STEPS[event.key];
      if (!step || !picture.place) return;
      event.preventDefault();
      const rows = picture.panels[picture.place.panel];
      const row = Math.min(Math.max(picture.place.row + step[0], 0), rows.length - 1);
      const column = Math.min(Math.max(picture.place.column + step[1], 0), rows[0].length - 1);
      show(picture, { panel: picture.place.panel, row, column });
    });
  }
  aside.querySelector("button").addEventListener("click", close);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && !aside.hidden) close(); });
})();
