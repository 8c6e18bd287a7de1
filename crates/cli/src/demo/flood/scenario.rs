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
