/** Maps around a pole: azimuthal equidistant, distances from the pole are true. */

import * as L from "leaflet";

/** Degrees from the pole that are drawn: beyond the equator little is to be seen. */
export const REACH_DEG = 110;

function crs(code: string, pole: 1 | -1): L.CRS {
  const rad = Math.PI / 180;
  const projection: L.Projection = {
    project: ({ lat, lng }) => {
      const r = 90 - pole * lat;
      return new L.Point(r * Math.sin(lng * rad), pole * r * Math.cos(lng * rad));
    },
    unproject: (point) => {
      const { x, y } = L.point(point as L.Point);
      return new L.LatLng(pole * (90 - Math.hypot(x, y)), Math.atan2(x, pole * y) / rad);
    },
    bounds: L.bounds([-180, -180], [180, 180]),
  };
  return L.Util.extend({}, L.CRS.Earth, {
    code,
    projection,
    transformation: new L.Transformation(1 / 360, 0.5, 1 / 360, 0.5),
    wrapLng: undefined,
    infinite: true,
  }) as L.CRS;
}

export const NORTH = crs("polar-north", 1);
export const SOUTH = crs("polar-south", -1);
