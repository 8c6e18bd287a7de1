//! The event that is simulated: where the dam stands, how much rain falls, for how long.

use super::terrain::{Dam, Terrain};
use crate::failure::bad_input;
use anyhow::Result;

/// Simulated time, s.
pub const DURATION: f64 = 75.0 * 60.0;

/// Rain on the whole map, m/s: a cloudburst of 40 mm an hour.
pub const RAIN: f64 = 0.040 / 3600.0;

/// Where the storm and the flood happen.
pub const PLACE: &str = "La Follette, Tennessee";

/// A virtual dam of 153 m across the valley of the Jacksboro fault, where it opens into Powell Valley above La
/// Follette, at 36.53 degrees north and 84.24 west. (Hoover Dam rises 180 m over its river.)
pub const DAM: Dam = Dam {
    ends: [[194.5 / 403.0, 150.0 / 344.0], [217.5 / 403.0, 150.0 / 344.0]],
    behind: [206.0 / 403.0, 145.5 / 344.0],
    level: 500.0,
};

/// The ground and the reservoir's depth on it.
pub struct Scenario {
    /// The ground without the dam.
    pub terrain: Terrain,
    /// Depth of the water behind the dam, m.
    pub reservoir: Vec<f32>,
}

impl Scenario {
    /// The event on a grid of `columns` columns.
    ///
    /// # Errors
    /// The grid is so coarse that the valley is not on it.
    pub fn new(columns: usize) -> Result<Self> {
        let terrain = Terrain::from_dem(&evener_data::jacksboro(), columns);
        let reservoir = terrain.reservoir(&DAM);
        let lake = reservoir.iter().filter(|depth| **depth > 0.0).count() as f64 * terrain.cell_area();
        // On the full grid it is 11.5 km^2; many times that means the water found a way around.
        if !(3.0e6..40.0e6).contains(&lake) {
            return Err(bad_input(format!("--size {columns}: too coarse for the valley behind the dam; 100 will do")));
        }
        Ok(Scenario { terrain, reservoir })
    }

    /// The ground with the dam on it.
    pub fn dammed(&self) -> Vec<f32> {
        let mut bed = self.terrain.bed.clone();
        for k in self.terrain.dam_cells(&DAM) {
            bed[k] = bed[k].max(DAM.level + 20.0);
        }
        bed
    }

    /// Water behind the dam, m^3.
    pub fn stored(&self) -> f64 {
        self.reservoir.iter().map(|depth| f64::from(*depth)).sum::<f64>() * self.terrain.cell_area()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reservoir_is_closed_by_the_dam_and_by_the_hills_alone() {
        for columns in [150, 403, 500] {
            let scenario = Scenario::new(columns).unwrap();
            let terrain = &scenario.terrain;
            let dam = terrain.dam_cells(&DAM);
            let (columns, rows) = (terrain.columns, terrain.rows);
            assert!((300e6..500e6).contains(&scenario.stored()), "{} m3", scenario.stored());
            for k in (0..columns * rows).filter(|k| scenario.reservoir[*k] > 0.0) {
                let (col, row) = (k % columns, k / columns);
                assert!(col > 0 && row > 0 && col + 1 < columns && row + 1 < rows, "the lake reaches the map's edge");
                for next in [k - 1, k + 1, k - columns, k + columns] {
                    let held = scenario.reservoir[next] > 0.0 || terrain.bed[next] >= DAM.level || dam.contains(&next);
                    assert!(held, "water leaks from cell {k} to {next} on {columns} columns");
                }
            }
        }
    }

    #[test]
    fn a_grid_without_the_valley_is_refused() {
        let error = Scenario::new(32).err().expect("too coarse").to_string();
        assert!(error.contains("--size 32"), "{error}");
    }
}
