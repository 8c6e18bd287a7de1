//! Small real inputs, embedded, so that demos and benches run from anywhere and need no network.
//!
//! `README.md` beside this file states the source, the licence and the conversion of each.

/// A digital elevation model: metres above sea level on a regular grid of longitude and latitude.
#[derive(Clone, Debug, PartialEq)]
pub struct Dem {
    /// Columns, west to east.
    pub columns: usize,
    /// Rows, north to south.
    pub rows: usize,
    /// Elevation in metres, row by row from the north-west corner.
    pub elevation: Vec<i16>,
    /// West and east edge in degrees.
    pub longitude: [f64; 2],
    /// North and south edge in degrees.
    pub latitude: [f64; 2],
}

/// The npy file of [`jacksboro`]: little-endian `i16`, 344 rows of 403 columns, C order.
pub const JACKSBORO_NPY: &[u8] = include_bytes!("jacksboro_dem.npy");

/// The Jacksboro fault in Tennessee, 30 km by 32 km at 3 arc-seconds (USGS elevation, public domain).
///
/// ```
/// let dem = evener_data::jacksboro();
/// assert_eq!((dem.columns, dem.rows), (403, 344));
/// assert_eq!(dem.elevation.iter().min(), Some(&236));
/// ```
pub fn jacksboro() -> Dem {
    let (columns, rows) = (403, 344);
    let samples = &JACKSBORO_NPY[JACKSBORO_NPY.len() - 2 * columns * rows..];
    let elevation = samples.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
    Dem { columns, rows, elevation, longitude: [-84.41375, -84.077_916_67], latitude: [36.732_916_67, 36.44625] }
}

impl Dem {
    /// Size of one cell in metres, west-east and north-south, at the middle latitude, on a sphere of
    /// 6,371 km (good to 0.5 %).
    pub fn cell_metres(&self) -> [f64; 2] {
        const METRES_PER_DEGREE: f64 = 6_371_000.0 * std::f64::consts::PI / 180.0;
        let middle = 0.5 * (self.latitude[0] + self.latitude[1]);
        let dx = (self.longitude[1] - self.longitude[0]) / self.columns as f64 * middle.to_radians().cos();
        let dy = (self.latitude[0] - self.latitude[1]) / self.rows as f64;
        [dx * METRES_PER_DEGREE, dy * METRES_PER_DEGREE]
    }
}
